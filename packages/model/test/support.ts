import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, type HostTensor } from "@bertqa/core";
import type { LabelledBatch, TrainerOptions } from "../src/types.ts";

const repository = join(import.meta.dirname, "../../..");
const shared = process.env["BERTQA_SHARED"] ?? join(repository, "../shared");
export const goldenFolder = join(shared, "golden/tiny-bert");
export const hasGolden = existsSync(goldenFolder);
export const fixtureFolder = join(import.meta.dirname, "fixtures/tiny-bert");

export interface Oracle {
  readonly batch: LabelledBatch;
  readonly learningRates: readonly number[];
  /** Of the optimizer, as `TrainerOptions` names them. */
  readonly adamw: Pick<TrainerOptions, "beta1" | "beta2" | "epsilon" | "weightDecay" | "maxGradientNorm">;
  readonly expected: ReadonlyMap<string, HostTensor>;
}

/** Inputs and the reference's results of a folder made by fixtures/make_tiny_bert.py or in its manner. */
export async function readOracle(folder: string): Promise<Oracle> {
  const inputs = JSON.parse(await readFile(join(folder, "inputs.json"), "utf8"));
  const flat = (rows: number[][]) => Int32Array.from(rows.flat());
  const batch = {
    windowCount: inputs.input_ids.length,
    tokenCount: inputs.input_ids[0].length,
    inputIds: flat(inputs.input_ids),
    tokenTypeIds: flat(inputs.token_type_ids),
    attentionMask: flat(inputs.attention_mask),
    startPositions: Int32Array.from(inputs.start_positions),
    endPositions: Int32Array.from(inputs.end_positions),
  };
  const expected = await readSafetensors(join(folder, "expected.safetensors"), "test");
  const { betas, eps, weight_decay, clip_norm, learning_rates } = inputs.adamw;
  const moments = { beta1: betas[0], beta2: betas[1], epsilon: eps };
  const adamw = { ...moments, weightDecay: weight_decay, maxGradientNorm: clip_norm };
  return { batch, learningRates: learning_rates, adamw, expected };
}

/** Largest absolute difference, and where; `relative` divides it by the largest magnitude expected. */
export function gap(got: Float32Array, expected: Float32Array) {
  if (got.length !== expected.length) throw new Error(`got ${got.length} numbers, expected ${expected.length}`);
  let [largest, at, magnitude] = [0, 0, 0];
  for (const [index, value] of expected.entries()) {
    const difference = Math.abs(got[index]! - value);
    if (!(difference <= largest)) [largest, at] = [difference, index];
    magnitude = Math.max(magnitude, Math.abs(value));
  }
  return { largest, at, relative: largest / Math.max(magnitude, 1e-12), got: got[at], expected: expected[at] };
}
