import { openDataset, openWindows } from "@bertqa/core";
import { tokenCountsOf, type BertCheckpoint, type WindowRows } from "@bertqa/model";
import { join } from "node:path";
import { planEpoch } from "../packages/train/src/plan.ts";

/** What both sides of a benchmark run: the same batches of the same windows. */
export interface Work {
  /** Hugging Face folder with config.json and, unless `randomWeights`, model.safetensors. */
  readonly encoder: string;
  readonly randomWeights: boolean;
  readonly batches: readonly (readonly WorkWindow[])[];
  /** The first batches warm up; the clock starts after them. */
  readonly warmUpBatches: number;
}

export interface WorkWindow {
  readonly ids: readonly number[];
  readonly contextFirstToken: number;
  readonly start: number;
  readonly end: number;
}

export interface WorkPlan {
  readonly split: "train" | "dev";
  readonly encoder: string | undefined;
  readonly randomWeights: boolean;
  readonly batchWindows: number;
  readonly batchCount: number;
  readonly warmUpBatches: number;
}

/** The first full batches of training's first epoch, the largest foremost: lengths are distributed as in a whole run. */
export async function planWork(artifactsFolder: string, plan: WorkPlan): Promise<Work> {
  const dataset = await openDataset("bench", join(artifactsFolder, "fetch"));
  const artifact = await openWindows("bench", join(artifactsFolder, "tokenize"));
  const shards = [];
  for (let i = 0; i < artifact.shardCount(plan.split); i++) shards.push(await artifact.readShard(plan.split, i));
  const windows = shards.flatMap((shard) => Array.from({ length: shard.rowCount }, (_, row) => windowOf(shard, row)));
  const lengths = tokenCountsOf(shards);
  const epoch = planEpoch(lengths, { batchWindows: plan.batchWindows, lengthGroupBatches: 50, seed: 42 }, 0);
  const full = epoch.filter((rows) => rows.length === plan.batchWindows);
  return {
    encoder: plan.encoder ?? (await dataset.encoderFolder()),
    randomWeights: plan.randomWeights,
    batches: full.slice(0, plan.batchCount).map((rows) => rows.map((row) => windows[row] as WorkWindow)),
    warmUpBatches: plan.warmUpBatches,
  };
}

function windowOf(shard: WindowRows[number], row: number): WorkWindow {
  const { offsets, values } = shard.inputIds;
  return {
    ids: [...values.subarray(offsets[row], offsets[row + 1])],
    contextFirstToken: shard.contextFirstToken[row] as number,
    start: shard.startPosition[row] as number,
    end: shard.endPosition[row] as number,
  };
}

/** Windows, real tokens and padded tokens of the batches that are timed. */
export function countWork(work: Work) {
  const timed = work.batches.slice(work.warmUpBatches);
  const windows = timed.reduce((sum, batch) => sum + batch.length, 0);
  const tokens = timed.flat().reduce((sum, window) => sum + window.ids.length, 0);
  const padded = timed.reduce((sum, batch) => sum + batch.length * longestOf(batch), 0);
  return { windows, tokens, padded };
}

function longestOf(batch: readonly WorkWindow[]): number {
  return Math.max(...batch.map((window) => window.ids.length));
}

/**
 * Floating-point operations of the matrix products over the timed batches, padding included, as they are executed: for a layer with N
 * tokens, 2·N·(4·H² + 2·H·I) in the linear layers and 4·B·L²·H in attention; the backward pass takes twice the forward's.
 */
export function productFlops(work: Work, config: BertCheckpoint["config"], passes: 1 | 3): number {
  const { hiddenSize: H, intermediateSize: I, layerCount } = config;
  return work.batches.slice(work.warmUpBatches).reduce((sum, batch) => {
    const L = longestOf(batch);
    const N = batch.length * L;
    return sum + passes * layerCount * (2 * N * (4 * H * H + 2 * H * I) + 4 * N * L * H);
  }, 0);
}
