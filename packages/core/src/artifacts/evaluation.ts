import { outcomes } from "@bertqa/squad";
import { z } from "zod";
import { openArtifact, type Artifact } from "../artifact.ts";
import { readJsonFile, readJsonLines } from "../options.ts";

/** Layout of an evaluation artifact. */
export const evaluationLayout = {
  /** The official evaluator's keys. */
  scores: "scores.json",
  /** Everything that was found out, but for single questions; {@link reportHeadSchema} is the part that others read. */
  report: "report.json",
  /** One {@link QuestionResult} a line, in the order of the dev file. */
  questions: "questions.jsonl",
  /** The same of the sanity set; only where the dataset has one. */
  sanity: "sanity.jsonl",
  /** How to answer with this model: limits, threshold, calibration. Its schema is in the package `answers`. */
  decision: "decision.json",
  page: "report.html",
  summary: "summary.md",
} as const;

/**
 * How a threshold was chosen; both `best…OnDev` are optimistic, since they saw the answers they are scored on. `always`:
 * there is none, as an answer is always given.
 */
export const thresholdKinds = ["always", "zero", "tuned", "bestExactOnDev", "bestF1OnDev"] as const;
export type ThresholdKind = (typeof thresholdKinds)[number];

/** The threshold that results of questions use. */
export const primarySchema = z.enum(["always", "tuned", "zero"]);

/** Questions whose null odds exceed this get no answer; null where an answer is always given. */
export const nullOddsThresholdSchema = z.number().nullable();

/** Scores are percentages. */
export const plainScoreSchema = z.object({ exact: z.number(), f1: z.number(), total: z.int() });
export type PlainScore = z.output<typeof plainScoreSchema>;

/** The score of a sanity set. `asked`: hash of its questions and passages, 16 hex digits; absent in evaluations of before. */
export const sanityScoreSchema = plainScoreSchema.extend({ asked: z.string().exactOptional() });
export type SanityScore = z.output<typeof sanityScoreSchema>;

/** The part of `report.json` that comparisons and model cards need. Scores are percentages. */
export const reportHeadSchema = z.object({
  formatVersion: z.literal(2),
  /** The threshold of the results in `questions.jsonl`. */
  primary: primarySchema,
  scores: z.array(
    z.object({
      kind: z.enum(thresholdKinds),
      label: z.string(),
      nullOddsThreshold: nullOddsThresholdSchema,
      all: z.object({ exact: z.object({ value: z.number() }), f1: z.object({ value: z.number() }), total: z.int() }),
    }),
  ),
  /** Scores of the sanity set at the primary threshold; only where the dataset has one. */
  sanity: z.object({ all: sanityScoreSchema }).exactOptional(),
});
export type ReportHead = z.output<typeof reportHeadSchema>;

/** One question at the primary threshold. Its texts are in the dataset and prediction artifacts, by `id`. */
export const questionResultSchema = z.object({
  id: z.string(),
  /** Hash of question and passage, 16 hex digits: an id that is made of a row's place may name another question elsewhere. Absent in results of before. */
  asked: z.string().exactOptional(),
  /** The key of its article: questions with one key are resampled together. */
  article: z.string(),
  answerable: z.boolean(),
  /** "" for no answer. */
  prediction: z.string(),
  /** 0 or 1. */
  exact: z.number(),
  /** 0 to 1. */
  f1: z.number(),
  outcome: z.enum(outcomes),
  nullOdds: z.number(),
  /** Calibrated, where there were held-out questions to calibrate on; 0 where an answer is always given. */
  noAnswerProbability: z.number(),
  /** The best span's text, whatever the null odds. */
  bestSpan: z.string(),
  bestSpanExact: z.number(),
  bestSpanF1: z.number(),
});
export type QuestionResult = z.output<typeof questionResultSchema>;

/** What evaluate found out. */
export interface EvaluationArtifact {
  readonly artifact: Artifact;
  scores(): Promise<Record<string, number>>;
  report(): Promise<ReportHead>;
  questions(): Promise<QuestionResult[]>;
}

/** Opens evaluate's artifact. @throws BertqaError as {@link openArtifact} does, or if a file breaks its schema */
export async function openEvaluation(stage: string, folder: string): Promise<EvaluationArtifact> {
  const artifact = await openArtifact(stage, folder, "evaluation");
  const json = async <T>(name: string, schema: z.ZodType<T>) => readJsonFile(stage, await artifact.file(name), schema);
  return {
    artifact,
    scores: () => json(evaluationLayout.scores, z.record(z.string(), z.number())),
    report: () => json(evaluationLayout.report, reportHeadSchema),
    questions: async () => readQuestionResults(stage, await artifact.file(evaluationLayout.questions)),
  };
}

/** Reads a file of question results: that of an artifact, or a copy kept with the history. */
export async function readQuestionResults(stage: string, path: string): Promise<QuestionResult[]> {
  return readJsonLines(stage, path, questionResultSchema);
}
