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

const right: AnswerScore = { exact: 1, f1: 1 };
const wrong: AnswerScore = { exact: 0, f1: 0 };

/** A digit, or a letter that no article has: whatever normalisation takes away, something of such a text is left. */
const surelyKept = /[0-9b-df-gi-mo-su-z]/i;

/**
 * Scores an answer against a question's gold answers. Gold answers that normalise to nothing are dropped; where none is
 * left, only an answer that normalises to nothing is right.
 */
export function scoreAnswer(goldAnswers: readonly GoldAnswer[], answer: string): AnswerScore {
  if (isEmpty(answer)) return goldAnswers.every(({ text }) => isEmpty(text)) ? right : wrong;
  // Most answers are right to the letter: those need no look at the gold answers' tokens.
  if (goldAnswers.some(({ text }) => text === answer)) return right;
  if (goldAnswers.length === 0) return wrong;
  const tokens = normalizedTokens(answer);
  let f1 = 0;
  let previous: string | undefined;
  for (const { text } of goldAnswers) {
    // Annotators often agree, and SQuAD lists what each of them said.
    if (text === previous) continue;
    previous = text;
    const goldTokens = normalizedTokens(text);
    if (areEqual(goldTokens, tokens)) return right;
    f1 = Math.max(f1, tokenF1(goldTokens, tokens));
  }
  return { exact: 0, f1 };
}

/** Does the text normalise to nothing? */
function isEmpty(text: string): boolean {
  return text === "" || (!surelyKept.test(text) && normalizedTokens(text).length === 0);
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
