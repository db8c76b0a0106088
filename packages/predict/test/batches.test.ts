import { SeededRandom } from "@bertqa/core";
import { expect, test } from "vitest";
import { planBatches } from "../src/batches.ts";

const rules = { batchTokens: 96, shapeCostTokens: 0, maxTokenCount: 512, compilesShapes: true };

test("where shapes cost nothing, lengths are rounded up to 16 and the longest go first", () => {
  // 96 tokens hold 2 windows of 48, 6 of 16.
  expect(planBatches(Int32Array.of(9, 40, 16, 33, 48), rules)).toEqual([
    { rows: [4, 1], windowCount: 2, tokenCount: 48 },
    { rows: [3], windowCount: 2, tokenCount: 48 },
    { rows: [2, 0], windowCount: 2, tokenCount: 16 },
  ]);
});

test("the windows of a length are dealt out evenly, so that little is filled up", () => {
  // 96 tokens hold 3 windows of 32; four windows make two batches of two, not three and one.
  const batches = planBatches(Int32Array.of(32, 31, 30, 29), rules);
  expect(batches.map(({ rows, windowCount }) => [rows, windowCount])).toEqual([
    [[0, 1], 2],
    [[2, 3], 2],
  ]);
});

test("the windows of a batch are even in number, or one, so that its halves have one shape", () => {
  const countsOf = (windows: number) =>
    planBatches(new Int32Array(windows).fill(16), rules).map(({ rows, windowCount }) => [rows.length, windowCount]);
  expect(countsOf(1)).toEqual([[1, 1]]);
  expect(countsOf(5)).toEqual([[5, 6]]);
  // Three batches of six would hold all 13; dealt out evenly, and evened.
  expect(countsOf(13)).toEqual([
    [6, 6],
    [6, 6],
    [1, 6],
  ]);
  const fiveFit = planBatches(new Int32Array(4).fill(16), { ...rules, batchTokens: 5 * 16 });
  expect(fiveFit.map(({ windowCount }) => windowCount)).toEqual([4]);
});

test("a length is dropped where padding its windows costs less than one more shape", () => {
  // Two windows of 32 padded to 48 cost 2 × 16 = 32 tokens more.
  const shapes = (shapeCostTokens: number) =>
    planBatches(Int32Array.of(48, 32, 32), { ...rules, shapeCostTokens }).map(({ tokenCount }) => tokenCount);
  expect(shapes(31)).toEqual([48, 32]);
  expect(shapes(33)).toEqual([48, 48]);
});

test("a window longer than a batch may be goes alone, and no batch is longer than the model takes", () => {
  expect(planBatches(Int32Array.of(100, 90), { ...rules, maxTokenCount: 100 })).toEqual([
    { rows: [0], windowCount: 1, tokenCount: 100 },
    { rows: [1], windowCount: 1, tokenCount: 96 },
  ]);
});

test("where no shape is compiled, windows are sorted and each batch is as long as its longest", () => {
  // 96 tokens hold 2 windows of 41 or 33.
  const batches = planBatches(Int32Array.of(9, 40, 11, 33, 41), { ...rules, compilesShapes: false });
  expect(batches).toEqual([
    { rows: [4, 1], windowCount: 2, tokenCount: 41 },
    { rows: [3, 2], windowCount: 2, tokenCount: 33 },
    { rows: [0], windowCount: 1, tokenCount: 9 },
  ]);
  expect(planBatches(Int32Array.of(200), { ...rules, compilesShapes: false })).toHaveLength(1);
});

test("no windows make no batches", () => {
  expect(planBatches(new Int32Array(), rules)).toEqual([]);
});

test("each row is in one batch that is long enough for it, and the lengths cost least of all choices", () => {
  for (let round = 0; round < 50; round++) {
    const random = new SeededRandom(round, "batches");
    const tokenCounts = Int32Array.from({ length: 1 + random.integerBelow(40) }, () => 1 + random.integerBelow(90));
    const shapeCostTokens = random.integerBelow(300);
    const batches = planBatches(tokenCounts, { ...rules, shapeCostTokens });
    expect(batches.flatMap(({ rows }) => [...rows]).sort((a, b) => a - b)).toEqual([...tokenCounts.keys()]);
    for (const { rows, windowCount, tokenCount } of batches) {
      expect(rows.length).toBeLessThanOrEqual(windowCount);
      for (const row of rows) expect(tokenCount).toBeGreaterThanOrEqual(tokenCounts[row] as number);
    }
    const chosen = [...new Set(batches.map(({ tokenCount }) => tokenCount))];
    expect(costOf(chosen, tokenCounts, shapeCostTokens), `round ${round}`).toBe(
      leastCost(tokenCounts, shapeCostTokens),
    );
  }
});

function costOf(lengths: readonly number[], tokenCounts: Int32Array, shapeCostTokens: number): number {
  const padded = (count: number) => Math.min(...lengths.filter((length) => length >= count)); // Infinity where none is
  return tokenCounts.reduce((sum, count) => sum + padded(count), 0) + shapeCostTokens * lengths.length;
}

/** By trying every set of the six multiples of 16 up to 96. */
function leastCost(tokenCounts: Int32Array, shapeCostTokens: number): number {
  const sets = Array.from({ length: 64 }, (_, bits) => [16, 32, 48, 64, 80, 96].filter((_, i) => bits & (1 << i)));
  return Math.min(...sets.map((lengths) => costOf(lengths, tokenCounts, shapeCostTokens)));
}
