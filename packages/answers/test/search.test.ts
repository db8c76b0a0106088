import { SeededRandom } from "../../squad/test/support/random.ts";
import { expect, test } from "vitest";
import { SpanSearch, type ScoredSpan, type ScoredWindow, type SearchLimits } from "../src/index.ts";

/**
 * A window `[CLS] q [SEP] context [SEP]` whose context token i covers the characters [2i, 2i + 1), shifted by
 * `firstToken` tokens of the passage.
 */
function windowOf(
  startLogits: number[],
  endLogits: number[],
  extra: { nullLogits?: [number, number]; firstToken?: number; maxContext?: number[] } = {},
): ScoredWindow {
  const contextTokenCount = startLogits.length;
  const [nullStart, nullEnd] = extra.nullLogits ?? [0, 0];
  const places = startLogits.map((_, i) => 2 * (i + (extra.firstToken ?? 0)));
  return {
    // The question and both [SEP] score high: they must never be part of an answer.
    startLogits: Float32Array.of(nullStart, 50, 50, ...startLogits, 50),
    endLogits: Float32Array.of(nullEnd, 50, 50, ...endLogits, 50),
    contextFirstToken: 3,
    contextTokenCount,
    contextStartCodePoints: Int32Array.from(places),
    contextEndCodePoints: Int32Array.from(places, (place) => place + 1),
    maxContext: Uint8Array.from(extra.maxContext ?? startLogits.map(() => 1)),
  };
}

function search(windows: ScoredWindow[], limits: Partial<SearchLimits> = {}): SpanSearch {
  const result = new SpanSearch({ nBest: 20, maxAnswerTokens: 30, ...limits });
  for (const window of windows) result.add(window);
  return result;
}

/** `start-end` in characters, with the score. */
const short = (spans: readonly ScoredSpan[]) =>
  spans.map((span) => `${span.startCodePoint}-${span.endCodePoint} ${span.score}`);

test("the best span pairs a start with an end at or after it", () => {
  // start 5 at token 2, end 6 at token 0: that pair runs backwards. Forwards: 0..0 = 1 + 6 = 7, 2..3 = 5 + 3 = 8.
  const found = search([windowOf([1, 0, 5, 0], [6, 0, 1, 3])], { nBest: 3 });
  expect(short(found.spans)).toEqual(["4-7 8", "0-1 7", "4-5 6"]);
});

test("a span has at most maxAnswerTokens tokens", () => {
  // Tokens 0..2 would score 9 + 9 = 18 but are three; two at most: 0..0 = 9 + 0, 2..2 = 0 + 9, 0..1 = 9 + 1.
  const found = search([windowOf([9, 0, 0], [0, 1, 9])], { maxAnswerTokens: 2, nBest: 1 });
  expect(short(found.spans)).toEqual(["0-3 10"]);
});

test("a start counts only in the window that gives it most context; an end counts in any", () => {
  const window = windowOf([9, 2], [0, 1], { maxContext: [0, 1] });
  expect(short(search([window]).spans)).toEqual(["2-3 3"]);
  const other = windowOf([2, 9], [0, 1], { maxContext: [1, 0] });
  expect(short(search([other]).spans)).toEqual(["0-3 3", "0-1 2"]);
});

test("the null score is the lowest over the windows, with that window's own logits", () => {
  // 3 + 4 = 7, 5 − 1 = 4, 2 + 3 = 5 → the second
  const windows = (
    [
      [3, 4],
      [5, -1],
      [2, 3],
    ] as [number, number][]
  ).map((nullLogits) => windowOf([0], [0], { nullLogits }));
  expect(search(windows).nullScore).toEqual({ score: 4, startLogit: 5, endLogit: -1 });
});

test("two windows that see the same span keep the higher score once", () => {
  const left = windowOf([0, 3], [0, 3]);
  const right = windowOf([4, 0], [4, 0], { firstToken: 1 });
  // Characters 2-3 are token 1 of the left window (3 + 3) and token 0 of the right one (4 + 4).
  for (const windows of [
    [left, right],
    [right, left],
  ]) {
    const { spans } = search(windows);
    expect(short(spans).filter((text) => text.startsWith("2-3 "))).toEqual(["2-3 8"]);
    expect(spans[0]).toEqual({ score: 8, startLogit: 4, endLogit: 4, startCodePoint: 2, endCodePoint: 3 });
  }
});

test("of equal scores the earlier start comes first, then the shorter span", () => {
  const found = search([windowOf([1, 1], [1, 1])]);
  expect(short(found.spans)).toEqual(["0-1 2", "0-3 2", "2-3 2"]);
});

test("a span that holds no character is no answer", () => {
  const window = { ...windowOf([1], [1]), contextEndCodePoints: Int32Array.of(0) };
  expect(search([window]).spans).toEqual([]);
});

test("an empty context gives no span, only a null score", () => {
  const found = search([windowOf([], [], { nullLogits: [1, 2] })]);
  expect(found.spans).toEqual([]);
  expect(found.nullScore?.score).toBe(3);
});

test("any order of the windows gives the n best of a brute-force search, with many ties", () => {
  for (let round = 0; round < 300; round++) {
    const random = new SeededRandom(round);
    const limits = { nBest: 1 + random.integerBelow(12), maxAnswerTokens: 1 + random.integerBelow(6) };
    const windows = randomWindows(random);
    const expected = bruteForce(windows, limits);
    expect(search(windows, limits).spans, `round ${round}`).toEqual(expected);
    expect(search(random.shuffled(windows), limits).spans, `round ${round}, shuffled`).toEqual(expected);
  }
});

/** Up to four overlapping windows of up to nine tokens; small whole logits, so that most scores occur several times. */
function randomWindows(random: SeededRandom): ScoredWindow[] {
  const logits = (count: number) => Array.from({ length: count }, () => random.integerBelow(4));
  return Array.from({ length: 1 + random.integerBelow(4) }, (_, i) => {
    const count = random.integerBelow(10);
    const maxContext = Array.from({ length: count }, () => Math.min(1, random.integerBelow(3)));
    return windowOf(logits(count), logits(count), { firstToken: 3 * i, maxContext });
  });
}

/** All eligible spans, sorted by the rule, the first of each pair of characters, n of them. */
function bruteForce(windows: ScoredWindow[], { nBest, maxAnswerTokens }: SearchLimits): ScoredSpan[] {
  const all: ScoredSpan[] = windows.flatMap((window) =>
    Array.from({ length: window.contextTokenCount ** 2 }, (_, pair) => {
      const start = Math.floor(pair / window.contextTokenCount);
      const end = pair % window.contextTokenCount;
      const legal = start <= end && end - start < maxAnswerTokens && window.maxContext[start] === 1;
      const startLogit = window.startLogits[window.contextFirstToken + start] as number;
      const endLogit = window.endLogits[window.contextFirstToken + end] as number;
      const startCodePoint = window.contextStartCodePoints[start] as number;
      const endCodePoint = window.contextEndCodePoints[end] as number;
      return legal ? [{ score: startLogit + endLogit, startLogit, endLogit, startCodePoint, endCodePoint }] : [];
    }).flat(),
  );
  const key = (span: ScoredSpan) => `${span.startCodePoint}-${span.endCodePoint}`;
  all.sort(
    (a, b) =>
      b.score - a.score ||
      a.startCodePoint - b.startCodePoint ||
      a.endCodePoint - b.endCodePoint ||
      b.startLogit - a.startLogit,
  );
  return all.filter((span, i) => all.findIndex((other) => key(other) === key(span)) === i).slice(0, nBest);
}

/** run_qa's search in one window: the 20 best starts by the 20 best ends, illegal pairs thrown away. */
function bestOfTop20Pairs(window: ScoredWindow, maxAnswerTokens: number): number {
  const top = (logits: Float32Array) =>
    [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number)).slice(0, 20);
  const [first, stop] = [window.contextFirstToken, window.contextFirstToken + window.contextTokenCount];
  const scores = top(window.startLogits).flatMap((start) =>
    top(window.endLogits)
      .filter((end) => start >= first && end < stop && start <= end && end < start + maxAnswerTokens)
      .map((end) => (window.startLogits[start] as number) + (window.endLogits[end] as number)),
  );
  return Math.max(-Infinity, ...scores);
}

test("a best span that run_qa's top 20 × top 20 misses is found", () => {
  // 100 tokens. Ends score 5 on tokens 0..19 and starts 5 on tokens 80..99: each top 20 is full, and every pair of
  // them runs backwards. The best legal pairs join a 5 and a 0; token 50 alone, 4 + 4 = 8, beats them.
  const startLogits = Array.from({ length: 100 }, (_, i) => (i >= 80 ? 5 : i === 50 ? 4 : 0));
  const endLogits = Array.from({ length: 100 }, (_, i) => (i < 20 ? 5 : i === 50 ? 4 : 0));
  const window = windowOf(startLogits, endLogits);
  expect(bestOfTop20Pairs(window, 30)).toBe(-Infinity);
  expect(short(search([window], { nBest: 1 }).spans)).toEqual(["100-101 8"]);
});

test("the exact search never scores below run_qa's, and equals it where a window has 20 tokens or fewer", () => {
  for (let round = 0; round < 100; round++) {
    const random = new SeededRandom(round);
    const count = 1 + random.integerBelow(60);
    const logits = () => Array.from({ length: count }, () => random.integerBelow(1000) / 64);
    const window = windowOf(logits(), logits());
    const ours = (search([window], { maxAnswerTokens: 5 }).spans[0] as ScoredSpan).score;
    const theirs = bestOfTop20Pairs(window, 5);
    expect(ours).toBeGreaterThanOrEqual(theirs);
    // 16 context tokens and the four others (which run_qa ranks too) make 20.
    if (count <= 16) expect(ours).toBe(theirs);
  }
});
