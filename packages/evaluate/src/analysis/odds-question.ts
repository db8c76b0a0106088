import type { ScoredQuestion } from "../official/evaluation.ts";

/** A question with the score of its best span and the null odds that decide whether the span is given. */
export interface OddsQuestion extends ScoredQuestion {
  readonly nullOdds: number;
}

/** Score at a threshold: no answer is given where the null odds exceed it. */
export function scoreAt(question: OddsQuestion, nullOddsThreshold: number): { exact: number; f1: number } {
  if (question.nullOdds <= nullOddsThreshold) return { exact: question.exact, f1: question.f1 };
  const score = question.hasAns ? 0 : 1;
  return { exact: score, f1: score };
}
