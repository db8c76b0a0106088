import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { openArtifact, type Artifact } from "../artifact.ts";
import { parseJson } from "../options.ts";

/** Layout of a model artifact: a Hugging Face folder, and the run's records. */
export const modelLayout = {
  /** `config.json`, `model.safetensors`, tokenizer files: what `AutoModelForQuestionAnswering.from_pretrained` takes. */
  modelFolder: "model",
  /** One {@link TrainingRow} a line. */
  log: "log.jsonl",
  tensorBoardFolder: "tensorboard",
} as const;

/** A row of the training log, one a log step. */
export const trainingRowSchema = z.strictObject({
  step: z.int(),
  totalSteps: z.int(),
  /** Mean cross-entropy over the steps since the last row, (start + end) / 2. */
  loss: z.number(),
  learningRate: z.number(),
  windowsPerSecond: z.number(),
  /** Real tokens a second, and with padding counted. */
  tokensPerSecond: z.number(),
  paddedTokensPerSecond: z.number(),
  /** Since training started or resumed. */
  elapsedMs: z.number(),
});
export type TrainingRow = z.output<typeof trainingRowSchema>;

/** What train made. */
export interface ModelArtifact {
  readonly artifact: Artifact;
  readonly modelFolder: string;
  /** The training log; empty where its file is gone (it is not part of the artifact's content). */
  trainingLog(): Promise<TrainingRow[]>;
}

/** Opens train's artifact. @throws BertqaError as {@link openArtifact} does */
export async function openModel(stage: string, folder: string): Promise<ModelArtifact> {
  const artifact = await openArtifact(stage, folder, "model");
  const log = artifact.path(modelLayout.log);
  return {
    artifact,
    modelFolder: artifact.path(modelLayout.modelFolder),
    trainingLog: async () => {
      if (!existsSync(log)) return [];
      const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line !== "");
      return lines.map((line) => parseJson(stage, line, log, trainingRowSchema));
    },
  };
}
