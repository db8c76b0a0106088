import type { PlainScore, ReportHead, SanityScore, ThresholdKind } from "@bertqa/core";
import type { Calibration, Curves, NoAnswerHistograms, NoAnswerShare, ReliabilityBin, SweepPoint } from "@bertqa/squad";

/** What evaluate finds out: the content of `report.json`, and what the HTML report is drawn from. Scores are percentages. */
export interface Evaluation {
  readonly formatVersion: ReportHead["formatVersion"];
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
  /** One row a threshold, in the order of core's `thresholdKinds`: `always` alone, or the others; `tuned` is absent without a tune split. */
  readonly scores: readonly ThresholdScores[];
  /** The threshold that breakdowns and results of questions use: `tuned`, or `zero` without a tune split; `always` has none. */
  readonly primary: ReportHead["primary"];
  /** What answering "" to every question scores. */
  readonly neverAnswering: Halves<PlainScore>;
  readonly curves: Curves | null;
  /** Exact and F1 over the threshold on null odds, at most 200 points, thresholds ascending; empty where there is none. */
  readonly thresholdSweep: readonly SweepPoint[];
  readonly noAnswer: NoAnswerAnalysis;
  readonly breakdowns: readonly Breakdown[];
  /** Left out where the dataset has no sanity set. */
  readonly sanity?: SanityScores;
  /** Things a reader must know before trusting a number: few articles, no tune split … One sentence each. */
  readonly remarks: readonly string[];
}

export interface ThresholdScores extends Halves<IntervalScore> {
  readonly kind: ThresholdKind;
  /** For people: `0`, `tuned on held-out, bagged`, `best exact on dev (optimistic)`. */
  readonly label: string;
  /** Questions whose null odds exceed this get no answer; null where an answer is always given. */
  readonly nullOddsThreshold: number | null;
  readonly chosenOn: "nothing" | "tune" | "dev";
  /** How it was chosen on `tune`: highest F1, or the mean of the thresholds of highest F1 over resamples. */
  readonly rule?: "bagged" | "best";
}

/** The same score over all questions, the answerable ones and the unanswerable ones; null where a half is empty. */
export interface Halves<Score> {
  readonly all: Score;
  readonly hasAns: Score | null;
  readonly noAns: Score | null;
}

export type { PlainScore };

/** Scores of the sanity set at the primary threshold: few questions, picked to be hard, so without intervals. */
export interface SanityScores extends Halves<PlainScore> {
  readonly all: SanityScore;
  /** One a kind of difficulty: an article of the set, in the order of the file. */
  readonly kinds: readonly (PlainScore & { readonly label: string })[];
}

/** A percentage with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  /** Percentiles of the bootstrap by article; null from fewer than two articles, which tell nothing of others. */
  readonly interval: readonly [low: number, high: number] | null;
}

export interface IntervalScore {
  readonly exact: Estimate;
  readonly f1: Estimate;
  readonly total: number;
}

export interface NoAnswerAnalysis {
  readonly calibration: Calibration;
  /** What share of questions without an answer threshold and calibration are made for. */
  readonly share: NoAnswerShare;
  /** Equal-width bins of the no-answer probability on dev; empty bins are left out, all where an answer is always given. */
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
