import type { Calibration, Curves, NoAnswerHistograms, Outcome, ReliabilityBin, SweepPoint } from "@bertqa/squad";

/**
 * What evaluate finds out: the content of `report.json`, and what the HTML report is drawn from. Scores are percentages.
 * All question results keep the order of the dev file.
 */
export interface Evaluation {
  readonly formatVersion: 2;
  readonly counts: {
    readonly questions: number;
    readonly answerable: number;
    readonly unanswerable: number;
    readonly articles: number;
    /** Questions held out of training for thresholds and calibration; 0 where there is no tune split. */
    readonly tuneQuestions: number;
  };
  readonly bootstrap: {
    readonly samples: number;
    readonly seed: number;
    readonly level: 0.95;
    readonly articles: number;
  };
  /** One row a threshold, in the order of {@link thresholdKinds}; `tuned` is absent without a tune split. */
  readonly scores: readonly ThresholdScores[];
  /** The threshold that breakdowns, outcomes and `questions` use: `tuned`, or `zero` without a tune split. */
  readonly primary: "tuned" | "zero";
  /** What answering "" to every question scores. */
  readonly neverAnswering: Halves<PlainScore>;
  readonly curves: Curves | null;
  /** Exact and F1 over the threshold on null odds, at most 200 points, thresholds ascending. */
  readonly thresholdSweep: readonly SweepPoint[];
  readonly noAnswer: NoAnswerAnalysis;
  readonly breakdowns: readonly Breakdown[];
  readonly questions: readonly QuestionResult[];
  /** Things a reader must know before trusting a number: few articles, no tune split … One sentence each. */
  readonly remarks: readonly string[];
}

/** How the threshold of a row was chosen; both `best…OnDev` are optimistic, since they saw the answers they are scored on. */
export const thresholdKinds = ["zero", "tuned", "bestExactOnDev", "bestF1OnDev"] as const;
export type ThresholdKind = (typeof thresholdKinds)[number];

export interface ThresholdScores extends Halves<IntervalScore> {
  readonly kind: ThresholdKind;
  /** For people: `0`, `tuned on held-out`, `best exact on dev (optimistic)`. */
  readonly label: string;
  /** Questions whose null odds exceed this get no answer. */
  readonly nullOddsThreshold: number;
  readonly chosenOn: "nothing" | "tune" | "dev";
}

/** The same score over all questions, the answerable ones and the unanswerable ones; null where a half is empty. */
export interface Halves<Score> {
  readonly all: Score;
  readonly hasAns: Score | null;
  readonly noAns: Score | null;
}

export interface PlainScore {
  readonly exact: number;
  readonly f1: number;
  readonly total: number;
}

/** A percentage with its 95 % interval (percentiles of the bootstrap by article). */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface IntervalScore {
  readonly exact: Estimate;
  readonly f1: Estimate;
  readonly total: number;
}

export interface NoAnswerAnalysis {
  readonly calibration: Calibration;
  /** Equal-width bins of the no-answer probability on dev; empty bins are left out. */
  readonly reliability: readonly ReliabilityBin[];
  /** Σ bin share × |mean probability − observed share|, from 0 to 1. */
  readonly expectedCalibrationError: number;
  readonly histograms: NoAnswerHistograms;
}

export interface Breakdown {
  readonly by: "answerability" | "question word" | "answer length" | "context length" | "article";
  /** In a fixed order: by count for words and articles, by length for lengths. */
  readonly groups: readonly (PlainScore & { readonly label: string })[];
}

/** One question at the primary threshold. Texts and spans are in the dataset and prediction artifacts, by `id`. */
export interface QuestionResult {
  readonly id: string;
  /** The key of its article: questions with one key are resampled together. */
  readonly article: string;
  readonly answerable: boolean;
  /** "" for no answer. */
  readonly prediction: string;
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1. */
  readonly f1: number;
  readonly outcome: Outcome;
  readonly nullOdds: number;
  readonly noAnswerProbability: number;
  /** The best span's text, whatever the null odds. */
  readonly bestSpan: string;
  readonly bestSpanExact: number;
  readonly bestSpanF1: number;
}

/** One line of `history.jsonl`, which lies beside the artifacts and is only ever appended to. */
export interface HistoryEntry {
  /** ISO 8601, UTC. */
  readonly date: string;
  /** `contentSha256` of the evaluation artifact. */
  readonly evaluation: string;
  /** Short hash, with `-dirty` where tracked files differ; null outside a git work tree. */
  readonly commit: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** `contentSha256` of each artifact that was read. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly scores: readonly HistoryScore[];
  readonly elapsedMs: number;
}

export interface HistoryScore {
  readonly kind: ThresholdKind;
  readonly nullOddsThreshold: number;
  readonly exact: number;
  readonly f1: number;
  readonly total: number;
}
