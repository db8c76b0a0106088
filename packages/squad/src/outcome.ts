import type { ScoredQuestion } from "./official/evaluation.ts";

/** A question with the score of its best span and the null odds that decide whether the span is given. */
export interface OddsQuestion extends ScoredQuestion {
  readonly nullOdds: number;
}

/** What is given at a threshold, and its score. */
export interface ScoreAt {
  /** False where the answer given is "". */
  readonly isAnswered: boolean;
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1. */
  readonly f1: number;
}

/** How a question went. `partial`: F1 above 0 but not exact. `wrong`: an answerable question with F1 0. */
export const outcomes = ["right", "partial", "wrong", "missed answer", "should be no answer"] as const;
export type Outcome = (typeof outcomes)[number];

/**
 * The official rule of thresholds: where the null odds (or the no-answer probability) exceed the threshold, the answer is
 * "", which is right for an unanswerable question and for no other.
 *
 * @param threshold null where an answer is always given
 */
export function scoreAt(question: Omit<OddsQuestion, "id" | "isMissing">, threshold: number | null): ScoreAt {
  const { hasAns, isAnswered, exact, f1 } = question;
  if (threshold === null || !(question.nullOdds > threshold)) return { isAnswered, exact, f1 };
  const score = hasAns ? 0 : 1;
  return { isAnswered: false, exact: score, f1: score };
}

export function outcomeOf(hasAns: boolean, { isAnswered, exact, f1 }: ScoreAt): Outcome {
  if (exact === 1) return "right";
  if (!hasAns) return "should be no answer";
  if (!isAnswered) return "missed answer";
  return f1 > 0 ? "partial" : "wrong";
}
