import { SeededRandom } from "@bertqa/core";
import { countBatchTokens, groupByLength } from "@bertqa/model";

/** How windows are put into batches. */
export interface PlanOptions {
  readonly batchWindows: number;
  readonly lengthGroupBatches: number;
  readonly seed: number;
}

/**
 * The batches of one epoch. Windows are shuffled, grouped by length within stretches of `lengthGroupBatches` batches, and the batches
 * shuffled: a batch holds windows of similar length, so little of it is padding, and still another mix every epoch.
 * In epoch 0 the batch with most tokens comes first, so that a machine with too little memory says so at step 1.
 *
 * @param lengths tokens of each window, int32 [windows]
 * @returns window indices, one array a batch; only one batch may be smaller than `batchWindows`
 */
export function planEpoch(lengths: Int32Array, options: PlanOptions, epoch: number): number[][] {
  const { batchWindows, lengthGroupBatches, seed } = options;
  const random = new SeededRandom(seed, "epoch", epoch);
  const order = random.shuffled(lengths.keys());
  const stretches =
    lengthGroupBatches > 1
      ? chunks(order, batchWindows * lengthGroupBatches).flatMap((rows) => groupByLength(lengths, rows, batchWindows))
      : chunks(order, batchWindows);
  const batches = random.shuffled(stretches);
  if (epoch === 0) bringLargestForward(batches, lengths);
  return batches;
}

function chunks(items: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function bringLargestForward(batches: number[][], lengths: Int32Array): void {
  let [largest, most] = [0, 0];
  batches.forEach((batch, i) => {
    const { paddedTokens } = countBatchTokens(lengths, [batch]);
    if (paddedTokens > most) [largest, most] = [i, paddedTokens];
  });
  [batches[0], batches[largest]] = [batches[largest] as number[], batches[0] as number[]];
}
