import type { ArtifactDraft } from "../artifact-draft.ts";
import { openArtifact, type Artifact } from "../artifact.ts";
import { stageOfKind } from "../manifest.ts";
import { readColumns, writeColumns, type Columns } from "../arrow.ts";
import { readJsonFile } from "../options.ts";
import { z } from "zod";

/** Splits that predict answers. `tune` is there where tokenize held a part of train out, `sanity` where the dataset has one. */
export const predictionSplits = ["dev", "tune", "sanity"] as const;
export type PredictionSplit = (typeof predictionSplits)[number];

/**
 * Answer text by question id. In `predictions.json` "" means no answer at threshold 0; in `best_spans.json` it is the
 * best span's text whatever the null score, as the official evaluator's thresholds need it.
 */
export const predictionsSchema = z.record(z.string(), z.string());
export type Predictions = z.output<typeof predictionsSchema>;

/** Null score minus best span score, by question id: the larger, the likelier there is no answer (run_qa's null_odds.json). */
export const nullOddsSchema = z.record(z.string(), z.number());

const candidateSchema = z.strictObject({
  /** Slice of the context; "" for no answer. */
  text: z.string(),
  /** Softmax over the question's candidates. */
  probability: z.number(),
  start_logit: z.number(),
  end_logit: z.number(),
  /** Character span in the context, end exclusive, in code points and in UTF-16 units; null for no answer. */
  code_points: z.tuple([z.int(), z.int()]).nullable(),
  utf16: z.tuple([z.int(), z.int()]).nullable(),
});
/** One of the n best answers to a question, in run_qa's key style. */
export type Candidate = z.output<typeof candidateSchema>;

/** Candidates by question id, best first (run_qa's nbest_predictions.json, with spans). */
export const nbestSchema = z.record(z.string(), z.array(candidateSchema));

/** One row a window, in the order in which it was predicted (by length): find a window by id and index. */
export const logitColumns = {
  questionId: "utf8",
  windowIndex: "int32",
  /** float32 [L], one a token of the window, padding left out. */
  startLogits: "list:float32",
  endLogits: "list:float32",
} as const;
export type LogitColumns = Columns<typeof logitColumns>;

/** File names; those of `dev` lie at the top, as run_qa leaves them, those of `tune` and `sanity` in folders of that name. */
export const predictionsLayout = {
  predictions: (split: PredictionSplit) => inSplit(split, "predictions.json"),
  bestSpans: (split: PredictionSplit) => inSplit(split, "best_spans.json"),
  nbest: (split: PredictionSplit) => inSplit(split, "nbest_predictions.json"),
  nullOdds: (split: PredictionSplit) => inSplit(split, "null_odds.json"),
  logits: (split: PredictionSplit, shard: number) => inSplit(split, `logits-${String(shard).padStart(5, "0")}.arrow`),
} as const;

function inSplit(split: PredictionSplit, name: string): string {
  return split === "dev" ? name : `${split}/${name}`;
}

/** Writes one shard of logits. */
export async function writeLogitShard(
  draft: ArtifactDraft,
  split: PredictionSplit,
  shard: number,
  columns: LogitColumns,
): Promise<void> {
  await writeColumns(await draft.path(predictionsLayout.logits(split, shard)), logitColumns, columns);
}

/** What predict made. */
export interface PredictionsArtifact {
  readonly artifact: Artifact;
  has(split: PredictionSplit): boolean;
  predictions(split: PredictionSplit): Promise<Predictions>;
  bestSpans(split: PredictionSplit): Promise<Predictions>;
  nullOdds(split: PredictionSplit): Promise<Record<string, number>>;
  nbest(split: PredictionSplit): Promise<Record<string, Candidate[]>>;
  logitShardCount(split: PredictionSplit): number;
  readLogitShard(split: PredictionSplit, shard: number): Promise<LogitColumns & { readonly rowCount: number }>;
}

/** Opens predict's artifact. @throws BertqaError as {@link openArtifact} does, or if a file breaks its schema */
export async function openPredictions(stage: string, folder: string): Promise<PredictionsArtifact> {
  const artifact = await openArtifact(stage, folder, "predictions");
  const names = artifact.manifest.files.map((file) => file.path);
  const remedy = `Run the ${stageOfKind.predictions} stage again`;
  const json = async <T>(name: string, schema: z.ZodType<T>) => readJsonFile(stage, await artifact.file(name), schema);
  return {
    artifact,
    has: (split) => artifact.has(predictionsLayout.predictions(split)),
    predictions: (split) => json(predictionsLayout.predictions(split), predictionsSchema),
    bestSpans: (split) => json(predictionsLayout.bestSpans(split), predictionsSchema),
    nullOdds: (split) => json(predictionsLayout.nullOdds(split), nullOddsSchema),
    nbest: (split) => json(predictionsLayout.nbest(split), nbestSchema),
    logitShardCount: (split) => {
      const folderOfSplit = predictionsLayout.logits(split, 0).replace("00000.arrow", "");
      return names.filter((name) => name.startsWith(folderOfSplit)).length;
    },
    readLogitShard: async (split, shard) =>
      readColumns(stage, await artifact.file(predictionsLayout.logits(split, shard)), logitColumns, remedy),
  };
}
