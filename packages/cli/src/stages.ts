import type { AnyStage } from "@bertqa/runner";

/** Loads each stage, in the pipeline's order: one at a time, since train and predict bring TensorFlow's loader with them. */
const loaders: Readonly<Record<string, () => Promise<AnyStage>>> = {
  fetch: async () => (await import("@bertqa/fetch")).fetchStage,
  tokenize: async () => (await import("@bertqa/tokenize")).tokenizeStage,
  train: async () => (await import("@bertqa/train")).trainStage,
  predict: async () => (await import("@bertqa/predict")).predictStage,
  evaluate: async () => (await import("@bertqa/evaluate")).evaluateStage,
  export: async () => (await import("@bertqa/export")).exportStage,
};

export const stageNames: readonly string[] = Object.keys(loaders);

/** The stage of a name; `undefined` where there is none. */
export async function findStage(name: string): Promise<AnyStage | undefined> {
  return Object.hasOwn(loaders, name) ? loaders[name]?.() : undefined;
}
