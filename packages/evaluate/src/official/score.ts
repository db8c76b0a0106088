import { normalizedTokens } from "./normalize.ts";

/** How well an answer agrees with the best of the gold answers. */
export interface AnswerScore {
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1, over the bags of normalised tokens. */
  readonly f1: number;
}

/**
 * Scores an answer against a question's gold answers. Gold answers that normalise to nothing are dropped; where none is
 * left, only an answer that normalises to nothing is right.
 */
export function scoreAnswer(goldAnswers: readonly string[], answer: string): AnswerScore {
  const tokens = normalizedTokens(answer);
  // Most answers are right to the letter: those need no look at the gold answers' tokens.
  if (tokens.length > 0 && goldAnswers.includes(answer)) return { exact: 1, f1: 1 };
  let f1 = 0;
  let hasGold = false;
  for (const text of goldAnswers) {
    const goldTokens = normalizedTokens(text);
    if (goldTokens.length === 0) continue;
    hasGold = true;
    if (tokens.length === 0) break;
    if (areEqual(goldTokens, tokens)) return { exact: 1, f1: 1 };
    f1 = Math.max(f1, tokenF1(goldTokens, tokens));
  }
  return hasGold || tokens.length > 0 ? { exact: 0, f1 } : { exact: 1, f1: 1 };
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
