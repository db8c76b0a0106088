import type { SpanSearch } from "@bertqa/answers";
import type { LogitColumns, WindowShard } from "@bertqa/core";
import { tokenCountsOf, type Predictor } from "@bertqa/model";
import { setImmediate } from "node:timers/promises";
import { planBatches, type BatchRules, type PlannedBatch } from "./batches.ts";
import { logitsOf, predictBatch, type PredictedWindow } from "./windows.ts";

export interface LoopContext {
  readonly stage: string;
  readonly predictor: Pick<Predictor, "predict">;
  /** Receives the windows, by question id. */
  readonly searches: ReadonlyMap<string, SpanSearch>;
  readonly batchRules: BatchRules;
  /** Rows of a shard of logits: what is held in memory. */
  readonly logitShardWindows: number;
  readonly onBatch: (tally: Tally) => void;
}

/** What has been predicted so far. */
export interface Tally {
  windows: number;
  tokens: number;
  paddedTokens: number;
}

/**
 * Predicts a split shard by shard, within a shard the longest windows first, and searches each window's spans as its
 * logits come. The order depends on the windows and the batch rules alone.
 *
 * @yields logits in shards of about `logitShardWindows` rows, in the order of prediction
 */
export async function* predictShards(
  context: LoopContext,
  shards: AsyncIterable<WindowShard>,
): AsyncGenerator<LogitColumns> {
  const tally: Tally = { windows: 0, tokens: 0, paddedTokens: 0 };
  let pending: PredictedWindow[] = [];
  for await (const shard of shards) {
    const tokenCounts = tokenCountsOf([shard]);
    for (const batch of planBatches(tokenCounts, context.batchRules)) {
      const windows = predictBatch(context.stage, context.predictor, shard, batch);
      for (const window of windows) context.searches.get(window.questionId)?.add(window);
      pending.push(...windows);
      addToTally(tally, tokenCounts, batch);
      context.onBatch(tally);
      if (pending.length >= context.logitShardWindows) {
        yield logitsOf(pending);
        pending = [];
      }
      // TensorFlow's ops block this thread: let signals and the terminal have their turn.
      await setImmediate();
    }
  }
  if (pending.length > 0) yield logitsOf(pending);
}

function addToTally(tally: Tally, tokenCounts: Int32Array, { rows, windowCount, tokenCount }: PlannedBatch): void {
  tally.windows += rows.length;
  tally.tokens += rows.reduce((sum, row) => sum + (tokenCounts[row] as number), 0);
  tally.paddedTokens += windowCount * tokenCount;
}

/** A split's row in `log.jsonl`. */
export interface PredictionRow extends Tally {
  readonly split: string;
  /** Model, search and writing of logits; not reading the checkpoint. */
  readonly elapsedMs: number;
  readonly windowsPerSecond: number;
  /** Real tokens, without padding. */
  readonly tokensPerSecond: number;
  readonly paddingShare: number;
}

export function rowOf(split: string, tally: Tally, elapsedMs: number): PredictionRow {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  return {
    split,
    ...tally,
    elapsedMs,
    windowsPerSecond: tally.windows / seconds,
    tokensPerSecond: tally.tokens / seconds,
    paddingShare: tally.paddedTokens === 0 ? 0 : 1 - tally.tokens / tally.paddedTokens,
  };
}
