import { normalizedTokens } from "./normalize.ts";

/** How well an answer agrees with the best of the gold answers. */
export interface AnswerScore {
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1, over the bags of normalised tokens. */
  readonly f1: number;
}

/** A reference answer; what else it holds does not matter. */
export interface GoldAnswer {
  readonly text: string;
}

/**
 * Scores an answer against a question's gold answers. Gold answers that normalise to nothing are dropped; where none is
 * left, only an answer that normalises to nothing is right.
 */
export function scoreAnswer(goldAnswers: readonly GoldAnswer[], answer: string): AnswerScore {
  const tokens = normalizedTokens(answer);
  const golds = goldAnswers.map(({ text }) => normalizedTokens(text)).filter((gold) => gold.length > 0);
  if (golds.length === 0) return tokens.length === 0 ? { exact: 1, f1: 1 } : { exact: 0, f1: 0 };
  return {
    exact: golds.some((gold) => areEqual(gold, tokens)) ? 1 : 0,
    f1: Math.max(...golds.map((gold) => tokenF1(gold, tokens))),
  };
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i]);
}

/** Harmonic mean of precision and recall, each step rounded as in the script; 0 where one side has no tokens. */
function tokenF1(gold: readonly string[], answer: readonly string[]): number {
  const left = [...gold];
  let same = 0;
  for (const token of answer) {
    const at = left.indexOf(token);
    if (at < 0) continue;
    left.splice(at, 1);
    same++;
  }
  if (same === 0) return 0;
  const precision = same / answer.length;
  const recall = same / gold.length;
  return (2 * precision * recall) / (precision + recall);
}
