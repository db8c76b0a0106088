import { expect, test } from "vitest";
import { answerSpan, labelSpan, sliceWindows, type CharacterSpan, type TokenizedText } from "../src/index.ts";

/** Tokens with the given character spans. */
function context(...spans: readonly [number, number][]): TokenizedText {
  return {
    ids: new Int32Array(spans.length),
    startCodePoints: Int32Array.from(spans, ([start]) => start),
    endCodePoints: Int32Array.from(spans, ([, end]) => end),
  };
}

/** Ten words of one letter, with spaces: token i is character 2i. */
const tenWords = context(...Array.from({ length: 10 }, (_, i): [number, number] => [2 * i, 2 * i + 1]));
const whole = { first: 0, end: 10 };

test("a window that cuts the answer is labelled no-answer; the one holding all of it is not", () => {
  // Windows [0,5) [3,8) [6,10). Tokens 4 to 6 are characters 8 to 13: whole in [3,8) only.
  const windows = sliceWindows({ tokenCount: 10, widthTokens: 5, overlapTokens: 2 });
  expect(windows.map((window) => labelSpan(tenWords, window, { start: 8, end: 13 }))).toEqual([
    undefined,
    { first: 4, last: 6 },
    undefined,
  ]);
});

test("an answer that begins or ends inside a token takes the whole token", () => {
  // Tokens [0,10) [11,14); the answer is characters 2 to 12.
  const tokens = context([0, 10], [11, 14]);
  expect(labelSpan(tokens, { first: 0, end: 2 }, { start: 2, end: 12 })).toEqual({ first: 0, last: 1 });
});

test("a space at an answer's edge does not reach the neighbouring word, where run_qa's label does", () => {
  // " e ", characters 7 to 10: only 8 is in a token, token 4. run_qa takes the last token that starts at or before 7, 3.
  const span = answerSpan(tenWords, { text: " e ", startCodePoint: 7 });
  expect(span).toEqual({ start: 8, end: 9 });
  expect(labelSpan(tenWords, whole, span as CharacterSpan)).toEqual({ first: 4, last: 4 });
  // An answer inside one token, and one that no token touches.
  expect(answerSpan(context([0, 9]), { text: "bcd", startCodePoint: 1 })).toEqual({ start: 1, end: 4 });
  expect(answerSpan(tenWords, { text: " ", startCodePoint: 7 })).toBeUndefined();
  expect(answerSpan(context(), { text: "a", startCodePoint: 0 })).toBeUndefined();
});

test("the first and the last token can be the answer; position 0 counts", () => {
  expect(labelSpan(tenWords, whole, { start: 0, end: 1 })).toEqual({ first: 0, last: 0 });
  expect(labelSpan(tenWords, whole, { start: 18, end: 19 })).toEqual({ first: 9, last: 9 });
});

test("one character of several tokens is labelled from its first to its last, where run_qa's two scans cross", () => {
  // Three tokens of character 4: the last that starts at or before 4 is token 3, the first that ends at or after 5 is 1.
  const tokens = context([0, 3], [4, 5], [4, 5], [4, 5], [6, 8]);
  expect(labelSpan(tokens, { first: 0, end: 5 }, { start: 4, end: 5 })).toEqual({ first: 1, last: 3 });
});

test("an answer before the first token, after the last, or in no token at all has no label", () => {
  const tokens = context([2, 4], [5, 7]);
  expect(labelSpan(tokens, { first: 0, end: 2 }, { start: 1, end: 4 })).toBeUndefined();
  expect(labelSpan(tokens, { first: 0, end: 2 }, { start: 5, end: 8 })).toBeUndefined();
  expect(labelSpan(context(), { first: 0, end: 0 }, { start: 0, end: 1 })).toBeUndefined();
});
