import { areFinite, type ScoredWindow } from "@bertqa/answers";
import { BertqaError, offsetsOfLengths, type LogitColumns, type WindowShard } from "@bertqa/core";
import { collateWindows, type Predictor } from "@bertqa/model";
import type { PlannedBatch } from "./batches.ts";

/** A window with its logits: float32 [L], padding left out. */
export interface PredictedWindow extends ScoredWindow {
  readonly questionId: string;
  readonly windowIndex: number;
}

/**
 * Runs one batch of a shard through the model, padded and filled up to its shape.
 *
 * @throws BertqaError if a logit is not a finite number, naming the question
 */
export function predictBatch(
  stage: string,
  predictor: Pick<Predictor, "predict">,
  shard: WindowShard,
  planned: PlannedBatch,
): PredictedWindow[] {
  const { rows, windowCount } = planned;
  const filled = Array.from({ length: windowCount }, (_, i) => rows[Math.min(i, rows.length - 1)] as number);
  const batch = collateWindows([shard], filled, { minTokenCount: planned.tokenCount });
  const { startLogits, endLogits } = predictor.predict(batch); // [B, L]
  return rows.map((row, i) => {
    const window = windowOf(shard, row);
    const [first, end] = [i * batch.tokenCount, i * batch.tokenCount + window.tokenCount];
    const scored = {
      ...window,
      startLogits: startLogits.subarray(first, end),
      endLogits: endLogits.subarray(first, end),
    };
    if (!areFinite(scored, window.tokenCount)) {
      const problem = `the model's logits for question "${window.questionId}" are not finite numbers`;
      throw new BertqaError(stage, problem, { remedy: "Training has diverged: train again at a lower learningRate" });
    }
    return scored;
  });
}

/** A row of a shard, as views on its columns. */
function windowOf(shard: WindowShard, row: number) {
  const list = <T extends Int32Array | Uint8Array>(column: { offsets: Int32Array; values: T }) =>
    column.values.subarray(column.offsets[row], column.offsets[row + 1]) as T;
  return {
    questionId: shard.questionId[row] as string,
    windowIndex: shard.windowIndex[row] as number,
    tokenCount: list(shard.inputIds).length,
    contextFirstToken: shard.contextFirstToken[row] as number,
    contextTokenCount: shard.contextTokenCount[row] as number,
    contextStartCodePoints: list(shard.contextStartCodePoints),
    contextEndCodePoints: list(shard.contextEndCodePoints),
    maxContext: list(shard.maxContext),
  };
}

/** Columns of a shard of logits, one row a window. */
export function logitsOf(windows: readonly PredictedWindow[]): LogitColumns {
  const offsets = offsetsOfLengths(windows.map((window) => window.startLogits.length));
  const startLogits = new Float32Array(offsets.at(-1) ?? 0);
  const endLogits = new Float32Array(startLogits.length);
  windows.forEach((window, i) => {
    startLogits.set(window.startLogits, offsets[i]);
    endLogits.set(window.endLogits, offsets[i]);
  });
  return {
    questionId: windows.map((window) => window.questionId),
    windowIndex: Int32Array.from(windows, (window) => window.windowIndex),
    startLogits: { offsets, values: startLogits },
    endLogits: { offsets, values: endLogits },
  };
}
