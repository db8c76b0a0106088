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

/**
 * Where an answer stands, without the characters at its edges that make no token: white space, stripped combining marks,
 * direction marks, soft hyphens. With them the search for its tokens would walk onto the neighbouring word.
 *
 * @returns `undefined` where no character of the answer makes a token
 */
export function answerSpan(context: TokenizedText, { text, startCodePoint }: PlacedAnswer): CharacterSpan | undefined {
  const { startCodePoints: starts, endCodePoints: ends } = context;
  const endCodePoint = startCodePoint + countCodePoints(text);
  const first = ends.findIndex((end) => end > startCodePoint);
  const last = starts.findLastIndex((start) => start < endCodePoint);
  if (first < 0 || last < first) return undefined;
  return {
    start: Math.max(startCodePoint, starts[first] as number),
    end: Math.min(endCodePoint, ends[last] as number),
  };
}

/**
 * The tokens of an answer within a window: the last token that starts at or before the answer, to the first that ends
 * at or after it. Source: `prepare_train_features` in transformers' examples/pytorch/question-answering/run_qa.py.
 *
 * {@link answerSpan} has cut the answer's edges, which run_qa does not do: there, a space in front labels the word before.
 * In two more cases run_qa's label is a span that ends before it starts, and ours is not: it passes the window's end onto
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
