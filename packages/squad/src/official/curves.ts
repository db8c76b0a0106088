import type { RankedQuestion, ScoredQuestion } from "./evaluation.ts";

/** The official evaluator's precision–recall curves, questions ordered by no-answer probability or null odds. */
export interface Curves {
  readonly exact: Curve;
  readonly f1: Curve;
  /** Telling answerable from unanswerable questions alone. */
  readonly oracle: Curve;
}

export interface Curve {
  /** In percent, as the official `pr_*_ap`. */
  readonly averagePrecision: number;
  /** Shares from 0 to 1, one a distinct threshold and the start (1 and 0): steps that hold to the next recall ("post"). */
  readonly precisions: readonly number[];
  readonly recalls: readonly number[];
}

/**
 * Precision–recall curves over the no-answer probability: answerable questions are the positives, weighted by their score.
 * A point stands only where the probability changes, since no threshold parts equal ones.
 *
 * @returns null where no question is answerable
 */
export function precisionRecallCurves(ranked: readonly RankedQuestion[]): Curves | null {
  const positives = ranked.filter(({ question }) => question.hasAns).length;
  if (positives === 0) return null;
  const curve = (score: (question: ScoredQuestion) => number) => precisionRecallCurve(ranked, positives, score);
  return {
    exact: curve((question) => question.exact),
    f1: curve((question) => question.f1),
    oracle: curve(() => 1),
  };
}

function precisionRecallCurve(
  ranked: readonly RankedQuestion[],
  positives: number,
  score: (question: ScoredQuestion) => number,
): Curve {
  const precisions = [1];
  const recalls = [0];
  let truePositives = 0;
  let averagePrecision = 0;
  ranked.forEach(({ question, naProb }, i) => {
    if (question.hasAns) truePositives += score(question);
    if (naProb === ranked[i + 1]?.naProb) return;
    const precision = truePositives / (i + 1);
    const recall = truePositives / positives;
    averagePrecision += precision * (recall - (recalls.at(-1) as number));
    precisions.push(precision);
    recalls.push(recall);
  });
  return { averagePrecision: 100 * averagePrecision, precisions, recalls };
}
