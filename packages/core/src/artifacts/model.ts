import { z } from "zod";
import { openArtifact, type Artifact } from "../artifact.ts";
import { readJsonLines } from "../options.ts";

/** Layout of a model artifact: a Hugging Face folder, and the curve of the run. */
export const modelLayout = {
  /** `config.json`, `model.safetensors`, tokenizer files: what `AutoModelForQuestionAnswering.from_pretrained` takes. */
  modelFolder: "model",
  /** One {@link TrainingRow} a line. */
  log: "log.jsonl",
} as const;

/** A row of the training log, one every `logEverySteps`. Times and rates are no part of it: they are not the model's. */
export const trainingRowSchema = z.strictObject({
  step: z.int(),
  totalSteps: z.int(),
  /** Mean cross-entropy over the steps since the last row, (start + end) / 2. */
  loss: z.number(),
  learningRate: z.number(),
});
export type TrainingRow = z.output<typeof trainingRowSchema>;

/** What train made. */
export interface ModelArtifact {
  readonly artifact: Artifact;
  /** The Hugging Face folder, all its files checked. */
  modelFolder(): Promise<string>;
  trainingLog(): Promise<TrainingRow[]>;
}

/** Opens train's artifact. @throws BertqaError as {@link openArtifact} does */
export async function openModel(stage: string, folder: string): Promise<ModelArtifact> {
  const artifact = await openArtifact(stage, folder, "model");
  return {
    artifact,
    modelFolder: () => artifact.folderOf(modelLayout.modelFolder),
    trainingLog: async () => readJsonLines(stage, await artifact.file(modelLayout.log), trainingRowSchema),
  };
}
