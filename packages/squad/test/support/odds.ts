import type { OddsQuestion } from "../../src/index.ts";

/** A question for thresholds: `score` is the F1 of its best span, null for a question without an answer. */
export function oddsQuestion(nullOdds: number, score: number | null, id = `q${nullOdds}`): OddsQuestion {
  const hasAns = score !== null;
  const exact = score === 1 ? 1 : 0;
  return { id, hasAns, exact, f1: score ?? 0, isAnswered: true, isMissing: false, nullOdds };
}
