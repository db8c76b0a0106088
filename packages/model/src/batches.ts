import type { WindowShard } from "@bertqa/core";
import type { LabelledBatch, WindowBatch } from "./types.ts";

/**
 * Windows of one or more shards under one row numbering: row r of the second shard is row `first.rowCount + r`.
 * Only these columns are read, as views on the shards' buffers.
 */
export type WindowRows = readonly Pick<WindowShard, "rowCount" | "inputIds" | "contextFirstToken" | LabelColumn>[];

type LabelColumn = "startPosition" | "endPosition" | "plausibleStartPosition" | "plausibleEndPosition";

/** Tokens of each window, without padding: int32 [rows of all shards]. */
export function tokenCountsOf(shards: WindowRows): Int32Array {
  const counts = new Int32Array(shards.reduce((sum, shard) => sum + shard.rowCount, 0));
  let next = 0;
  for (const { rowCount, inputIds } of shards) {
    for (let row = 0; row < rowCount; row++) counts[next++] = at(inputIds.offsets, row + 1) - at(inputIds.offsets, row);
  }
  return counts;
}

/**
 * Groups windows of similar length, longest first, so that little is padding and a lack of memory shows in the first
 * batch. Equally long windows keep their order in `rows`; each row lands in exactly one group.
 *
 * @param tokenCounts int32, tokens of each row, as {@link tokenCountsOf} gives them
 * @param rows        the rows to group; their order decides between equals, so shuffle them for another grouping
 */
export function groupByLength(tokenCounts: Int32Array, rows: ArrayLike<number>, batchWindows: number): number[][] {
  const sorted = Array.from(rows).sort((a, b) => at(tokenCounts, b) - at(tokenCounts, a)); // stable
  return Array.from({ length: Math.ceil(sorted.length / batchWindows) }, (_, group) =>
    sorted.slice(group * batchWindows, (group + 1) * batchWindows),
  );
}

/** Real tokens of some batches, and tokens with padding: the padding share is 1 − tokens / paddedTokens. */
export function countBatchTokens(
  tokenCounts: Int32Array,
  batches: Iterable<readonly number[]>,
): { readonly tokens: number; readonly paddedTokens: number } {
  let tokens = 0;
  let paddedTokens = 0;
  for (const rows of batches) {
    let longest = 0;
    for (const row of rows) {
      const count = at(tokenCounts, row);
      tokens += count;
      longest = Math.max(longest, count);
    }
    paddedTokens += longest * rows.length;
  }
  return { tokens, paddedTokens };
}

/** How windows are padded to one length. */
interface PaddingOptions {
  /** The token that is padded with; 0 by default. The logits of the others do not depend on it. */
  readonly paddingId?: number | undefined;
  /** Pads further than to the longest window, to this many tokens; for batches that are to have one shape. */
  readonly minTokenCount?: number;
}

/**
 * Lays windows side by side, padded to the longest of them. Token types are 0 up to `contextFirstToken`, then 1
 * up to and with the closing [SEP], as BERT was trained.
 *
 * @throws RangeError if a row is in none of the shards
 */
export function collateWindows(
  shards: WindowRows,
  rows: ArrayLike<number>,
  { paddingId = 0, minTokenCount = 0 }: PaddingOptions = {},
): WindowBatch {
  const places = Array.from(rows, (row) => placeOf(shards, row));
  const tokenCount = places.reduce((longest, { first, end }) => Math.max(longest, end - first), minTokenCount);
  const inputIds = new Int32Array(places.length * tokenCount).fill(paddingId); // [B, L]
  const tokenTypeIds = new Int32Array(inputIds.length); // [B, L]
  const attentionMask = new Int32Array(inputIds.length); // [B, L]
  places.forEach(({ shard, row, first, end }, i) => {
    const to = i * tokenCount;
    const length = end - first;
    inputIds.set(shard.inputIds.values.subarray(first, end), to);
    tokenTypeIds.fill(1, to + at(shard.contextFirstToken, row), to + length);
    attentionMask.fill(1, to, to + length);
  });
  return { windowCount: places.length, tokenCount, inputIds, tokenTypeIds, attentionMask };
}

/** {@link collateWindows} with each window's labels. A loss over all positions sees the padding's token. */
export function collateLabelledWindows(
  shards: WindowRows,
  rows: ArrayLike<number>,
  padding: PaddingOptions = {},
): LabelledBatch {
  const places = Array.from(rows, (row) => placeOf(shards, row));
  const labels = (column: LabelColumn) => Int32Array.from(places, ({ shard, row }) => at(shard[column], row)); // [B]
  return {
    ...collateWindows(shards, rows, padding),
    startPositions: labels("startPosition"),
    endPositions: labels("endPosition"),
    plausibleStartPositions: labels("plausibleStartPosition"),
    plausibleEndPositions: labels("plausibleEndPosition"),
  };
}

/** The shard and row of a window, and where its tokens lie in the shard's column. */
function placeOf(shards: WindowRows, row: number) {
  let left = row;
  for (const shard of shards) {
    if (left >= 0 && left < shard.rowCount) {
      const { offsets } = shard.inputIds;
      return { shard, row: left, first: at(offsets, left), end: at(offsets, left + 1) };
    }
    left -= shard.rowCount;
  }
  throw new RangeError(`got window row ${row}, expected 0..${tokenCountsOf(shards).length - 1}`);
}

function at(values: Int32Array, index: number): number {
  return values[index] as number;
}
