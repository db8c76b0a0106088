import { offsetsOfLengths } from "@bertqa/core";
import { expect, test } from "vitest";
import {
  collateLabelledWindows,
  collateWindows,
  countBatchTokens,
  groupByLength,
  tokenCountsOf,
  type WindowRows,
} from "../src/batches.ts";

/** A shard of windows given as [ids, contextFirstToken, startPosition, endPosition]; plausible spans are one token further. */
function shardOf(...windows: [ids: number[], contextFirstToken: number, start: number, end: number][]) {
  return {
    rowCount: windows.length,
    inputIds: {
      offsets: offsetsOfLengths(windows.map(([ids]) => ids.length)),
      values: Int32Array.from(windows.flatMap(([ids]) => ids)),
    },
    contextFirstToken: Int32Array.from(windows, (window) => window[1]),
    startPosition: Int32Array.from(windows, (window) => window[2]),
    endPosition: Int32Array.from(windows, (window) => window[3]),
    plausibleStartPosition: Int32Array.from(windows, (window) => window[2] + 1),
    plausibleEndPosition: Int32Array.from(windows, (window) => window[3] + 1),
  };
}

// Rows 0 and 1 lie in the first shard, rows 2 and 3 in the second.
const shards: WindowRows = [
  shardOf([[101, 7, 102, 8, 102], 3, 3, 3], [[101, 7, 7, 102, 8, 9, 102], 4, 4, 5]),
  shardOf([[101, 102, 5, 102], 2, 0, 0], [[101, 6, 102, 1, 2, 3, 102], 3, 5, 5]),
];

test("windows of several shards are padded to the longest of the batch, in the order asked for", () => {
  expect(collateWindows(shards, [2, 0])).toEqual({
    windowCount: 2,
    tokenCount: 5,
    inputIds: Int32Array.of(101, 102, 5, 102, 0, /**/ 101, 7, 102, 8, 102),
    tokenTypeIds: Int32Array.of(0, 0, 1, 1, 0, /**/ 0, 0, 0, 1, 1),
    attentionMask: Int32Array.of(1, 1, 1, 1, 0, /**/ 1, 1, 1, 1, 1),
  });
});

test("labels follow their windows, and padding on the right leaves the positions as they are", () => {
  const batch = collateLabelledWindows(shards, Int32Array.of(3, 2, 1));
  expect(batch.startPositions).toEqual(Int32Array.of(5, 0, 4));
  expect(batch.endPositions).toEqual(Int32Array.of(5, 0, 5));
  expect(batch.plausibleStartPositions).toEqual(Int32Array.of(6, 1, 5));
  expect(batch.plausibleEndPositions).toEqual(Int32Array.of(6, 1, 6));
  expect(batch.inputIds).toEqual(collateWindows(shards, [3, 2, 1]).inputIds);
});

test("a batch can be padded to more tokens than its longest window has, never to fewer", () => {
  const batch = collateWindows(shards, [2], { minTokenCount: 6 });
  expect(batch.inputIds).toEqual(Int32Array.of(101, 102, 5, 102, 0, 0));
  expect(batch.attentionMask).toEqual(Int32Array.of(1, 1, 1, 1, 0, 0));
  expect(collateWindows(shards, [2], { minTokenCount: 3 }).tokenCount).toBe(4);
});

test("padding is the encoder's own token, 0 where it names none; ids stay where the mask is 1", () => {
  const { inputIds, attentionMask } = collateLabelledWindows(shards, [2, 0], { paddingId: 9 });
  expect(inputIds).toEqual(Int32Array.of(101, 102, 5, 102, 9, /**/ 101, 7, 102, 8, 102));
  expect(attentionMask).toEqual(Int32Array.of(1, 1, 1, 1, 0, /**/ 1, 1, 1, 1, 1));
  expect(collateLabelledWindows(shards, [2, 0], { paddingId: undefined }).inputIds[4]).toBe(0);
});

test("a shard whose columns are views on a larger buffer gives the same batch", () => {
  const values = Int32Array.of(-1, -1, 101, 7, 102, 8, 102).subarray(2);
  const view = { ...shardOf([[], 3, 3, 3]), inputIds: { offsets: Int32Array.of(0, 5), values } };
  expect(collateWindows([view], [0])).toEqual(collateWindows(shards, [0]));
});

test("a row that is in no shard is refused", () => {
  expect(() => collateWindows(shards, [4])).toThrow("got window row 4, expected 0..3");
  expect(() => collateWindows(shards, [-1])).toThrow("got window row -1, expected 0..3");
});

test("groups go from the longest to the shortest; equals keep their order", () => {
  const counts = tokenCountsOf(shards);
  expect(counts).toEqual(Int32Array.of(5, 7, 4, 7));
  expect(groupByLength(counts, [0, 1, 2, 3], 3)).toEqual([[1, 3, 0], [2]]);
  expect(groupByLength(counts, [3, 2, 1, 0], 3)).toEqual([[3, 1, 0], [2]]);
});

test("padding is counted against the longest window of each batch", () => {
  // [10, 9] → 20 padded, 19 real; [4, 3, 3] → 12 padded, 10 real
  const batches = [
    [0, 1],
    [2, 3, 4],
  ];
  expect(countBatchTokens(Int32Array.of(10, 9, 4, 3, 3, 2), batches)).toEqual({ tokens: 29, paddedTokens: 32 });
});
