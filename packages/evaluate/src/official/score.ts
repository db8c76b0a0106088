import { normalizedTokens } from "./normalize.ts";

/** How well an answer agrees with the best of the gold answers. */
export interface AnswerScore {
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1, over the bags of normalised tokens. */
  readonly f1: number;
}

/** Scores answers to one question. */
export type AnswerScorer = (answer: string) => AnswerScore;

/**
 * Prepares a question's gold answers. Those that normalise to nothing are dropped; where none is left, only an answer that
 * normalises to nothing is right.
 */
export function answerScorer(goldAnswers: readonly string[]): AnswerScorer {
  const gold: string[][] = [];
  for (const text of new Set(goldAnswers)) {
    const tokens = normalizedTokens(text);
    if (tokens.length > 0) gold.push(tokens);
  }
  if (gold.length === 0) gold.push([]);
  return (answer) => {
    const tokens = normalizedTokens(answer);
    let f1 = 0;
    for (const goldTokens of gold) {
      if (areEqual(goldTokens, tokens)) return { exact: 1, f1: 1 };
      f1 = Math.max(f1, tokenF1(goldTokens, tokens));
    }
    return { exact: 0, f1 };
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
    left[at] = left[left.length - 1] as string;
    left.pop();
    same++;
  }
  if (same === 0) return 0;
  const precision = same / answer.length;
  const recall = same / gold.length;
  return (2 * precision * recall) / (precision + recall);
}
