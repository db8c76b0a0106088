import { expect, test } from "vitest";
import { maxContextFlags, sliceWindows } from "../src/index.ts";

test("each window moves by width minus overlap, and the last one ends with the context", () => {
  // 10 tokens, width 5, overlap 2 → step 3 → [0,5) [3,8) [6,10).
  expect(sliceWindows({ tokenCount: 10, widthTokens: 5, overlapTokens: 2 })).toEqual([
    { first: 0, end: 5 },
    { first: 3, end: 8 },
    { first: 6, end: 10 },
  ]);
});

test("a window that ends with the context is the last, though a next one could still begin", () => {
  // Step 3: [0,5) [3,8), and 8 is the end.
  expect(sliceWindows({ tokenCount: 8, widthTokens: 5, overlapTokens: 2 })).toEqual([
    { first: 0, end: 5 },
    { first: 3, end: 8 },
  ]);
});

test("a context without tokens makes one empty window", () => {
  expect(sliceWindows({ tokenCount: 0, widthTokens: 5, overlapTokens: 2 })).toEqual([{ first: 0, end: 0 }]);
});

test("an overlap as wide as the window is refused", () => {
  expect(() => sliceWindows({ tokenCount: 9, widthTokens: 5, overlapTokens: 5 })).toThrow("cannot move");
});

test("every token is in a window, neighbours share the overlap, and none is wider than allowed", () => {
  for (let tokenCount = 1; tokenCount <= 25; tokenCount++) {
    for (let widthTokens = 1; widthTokens <= 7; widthTokens++) {
      for (let overlapTokens = 0; overlapTokens < widthTokens; overlapTokens++) {
        const windows = sliceWindows({ tokenCount, widthTokens, overlapTokens });
        const covered = new Set(windows.flatMap(({ first, end }) => range(first, end)));
        expect([...covered]).toEqual(range(0, tokenCount));
        windows.slice(1).forEach((window, i) => expect((windows[i]?.end ?? 0) - window.first).toBe(overlapTokens));
        expect(Math.max(...windows.map(({ first, end }) => end - first))).toBeLessThanOrEqual(widthTokens);
      }
    }
  }
});

test("a token belongs to the window that gives it most context on its poorer side", () => {
  // [0,5) [3,8) [6,10). Token 3: min(3, 1) = 1 in the first, min(0, 4) = 0 in the second. Token 4: min(4, 0) = 0 against
  // min(1, 3) = 1. Token 6: 1 in the second, 0 in the third. Token 7: 0 against min(1, 2) = 1.
  const windows = sliceWindows({ tokenCount: 10, widthTokens: 5, overlapTokens: 2 });
  expect(windows.map((_, index) => [...maxContextFlags(windows, index)])).toEqual([
    [1, 1, 1, 1, 0],
    [0, 1, 1, 1, 0],
    [0, 1, 1, 1],
  ]);
});

test("between equal contexts the longer window wins, by 0.01 a token, and then the earlier", () => {
  // Token 2 has no left or no right context in both: 0 + 0.01 × 3 in [0,3), 0 + 0.01 × 2 in [2,4).
  const windows = [
    { first: 0, end: 3 },
    { first: 2, end: 4 },
  ];
  expect(windows.map((_, index) => [...maxContextFlags(windows, index)])).toEqual([
    [1, 1, 1],
    [0, 1],
  ]);
  // [0,3) and [2,5) are as long: the earlier keeps token 2.
  const equal = [
    { first: 0, end: 3 },
    { first: 2, end: 5 },
  ];
  expect(equal.map((_, index) => [...maxContextFlags(equal, index)])).toEqual([
    [1, 1, 1],
    [0, 1, 1],
  ]);
});

test("every token has its most context in exactly one window", () => {
  for (let tokenCount = 1; tokenCount <= 60; tokenCount++) {
    for (const [widthTokens, overlapTokens] of [
      [7, 3],
      [9, 7],
      [5, 0],
      [4, 3],
    ] as const) {
      const windows = sliceWindows({ tokenCount, widthTokens, overlapTokens });
      const owners = new Array<number>(tokenCount).fill(0);
      windows.forEach(({ first }, index) =>
        maxContextFlags(windows, index).forEach((flag, i) => (owners[first + i] = (owners[first + i] ?? 0) + flag)),
      );
      expect(owners).toEqual(new Array<number>(tokenCount).fill(1));
    }
  }
});

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
