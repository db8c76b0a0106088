import type { QuestionWindow } from "@bertqa/answers";

/** Windows that go through the model together, padded to the longest. B windows, L tokens. */
export interface Batch {
  /** Places in the list of windows. */
  readonly rows: readonly number[];
  /** L */
  readonly tokenCount: number;
}

/** What the model takes: int64 [B, L] row-major each. */
export interface ModelInputs {
  readonly windowCount: number;
  readonly tokenCount: number;
  readonly inputIds: BigInt64Array;
  readonly attentionMask: BigInt64Array;
  readonly tokenTypeIds: BigInt64Array;
}

/**
 * Puts windows of similar length together, longest first, so that a lack of memory shows at once and little is padded.
 *
 * @param batchTokens of a batch with its padding, B × L; one window always fits
 */
export function planBatches(tokenCounts: readonly number[], batchTokens: number): Batch[] {
  const longestFirst = tokenCounts.map((_, row) => row).sort((a, b) => tokenCounts[b]! - tokenCounts[a]!); // stable
  const batches: Batch[] = [];
  for (let first = 0; first < longestFirst.length;) {
    const tokenCount = tokenCounts[longestFirst[first]!]!;
    const rows = longestFirst.slice(first, first + Math.max(1, Math.floor(batchTokens / tokenCount)));
    batches.push({ rows, tokenCount });
    first += rows.length;
  }
  return batches;
}

/** Padding has id 0, type 0 and mask 0, as Hugging Face's collator writes it. */
export function collate(windows: readonly QuestionWindow[], { rows, tokenCount }: Batch): ModelInputs {
  const inputIds = new BigInt64Array(rows.length * tokenCount);
  const attentionMask = new BigInt64Array(inputIds.length);
  const tokenTypeIds = new BigInt64Array(inputIds.length);
  rows.forEach((row, i) => {
    const { inputIds: ids, contextFirstToken } = windows[row]!;
    const start = i * tokenCount;
    for (let token = 0; token < ids.length; token += 1) inputIds[start + token] = BigInt(ids[token]!);
    attentionMask.fill(1n, start, start + ids.length);
    tokenTypeIds.fill(1n, start + contextFirstToken, start + ids.length);
  });
  return { windowCount: rows.length, tokenCount, inputIds, attentionMask, tokenTypeIds };
}
