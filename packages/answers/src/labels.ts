import { countCodePoints, type PlacedAnswer } from "@bertqa/squad";
import type { TokenizedText } from "./tokens.ts";
import type { TokenRange } from "./windows.ts";

/** An answer's place in its context: characters [start, end) in code points. */
export interface CharacterSpan {
  readonly start: number;
  readonly end: number;
}

/** First and last token of an answer, both included, counted in context tokens. */
export interface TokenSpan {
  readonly first: number;
  readonly last: number;
}

export function characterSpan(answer: PlacedAnswer): CharacterSpan {
  return { start: answer.startCodePoint, end: answer.startCodePoint + countCodePoints(answer.text) };
}

/**
 * The tokens of an answer within a window: the last token that starts at or before the answer, to the first that ends
 * at or after it. Source: `prepare_train_features` in transformers' examples/pytorch/question-answering/run_qa.py.
 *
 * In two cases run_qa's label is a span that ends before it starts, and ours is not: it passes the window's end onto
 * `[SEP]` where the answer starts in the window's last token, and its two scans cross where one character makes
 * several tokens (Hangul, which the normalizer takes apart).
 *
 * @returns `undefined` where the window does not hold the whole answer
 */
export function labelSpan(context: TokenizedText, window: TokenRange, answer: CharacterSpan): TokenSpan | undefined {
  const { startCodePoints: starts, endCodePoints: ends } = context;
  let first = window.first;
  let last = window.end - 1;
  if (last < first) return undefined;
  if ((starts[first] as number) > answer.start || (ends[last] as number) < answer.end) return undefined;
  while (first + 1 < window.end && (starts[first + 1] as number) <= answer.start) first++;
  while (last - 1 >= window.first && (ends[last - 1] as number) >= answer.end) last--;
  return first <= last ? { first, last } : { first: last, last: first };
}
