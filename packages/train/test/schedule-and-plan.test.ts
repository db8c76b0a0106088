import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { countBatchTokens } from "@bertqa/model";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { openCheckpoints } from "../src/checkpoints.ts";
import { trainOptionsSchema } from "../src/options.ts";
import { neededBytes } from "../src/guards.ts";
import { planEpoch } from "../src/plan.ts";
import { scheduleOf } from "../src/loop.ts";
import { learningRateAt } from "../src/schedule.ts";

describe("the learning rate", () => {
  test("rises linearly to its peak, then falls linearly to zero", () => {
    // 10 steps, 2 of them warm-up, peak 0.8: 0, 0.4, then 0.8 × (10 − s) / 8 = 0.8, 0.7, … 0.1.
    const schedule = { peakLearningRate: 0.8, warmupSteps: 2, totalSteps: 10 };
    const rates = Array.from({ length: 10 }, (_, step) => learningRateAt(schedule, step));
    [0, 0.4, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1].forEach((rate, step) => expect(rates[step]).toBeCloseTo(rate, 12));
  });

  test("starts at its peak without warm-up, and is zero after the end", () => {
    const schedule = { peakLearningRate: 1, warmupSteps: 0, totalSteps: 4 };
    expect(learningRateAt(schedule, 0)).toBe(1);
    expect(learningRateAt(schedule, 4)).toBe(0);
  });
});

describe("the schedule of a run", () => {
  test("counts the last, smaller batch of each epoch as a step", () => {
    // 33 windows in batches of 16 are 3 steps an epoch; 4 epochs are 12, of which floor(0.1 × 12) = 1 is warm-up.
    const options = trainOptionsSchema.parse({ epochs: 4, warmupShare: 0.1, learningRate: 0.01 });
    expect(scheduleOf(options, 33)).toEqual({ peakLearningRate: 0.01, warmupSteps: 1, totalSteps: 12 });
  });

  test("ends at maxSteps, with the decay ending there too", () => {
    const options = trainOptionsSchema.parse({ epochs: 4, maxSteps: 5, warmupShare: 0 });
    expect(scheduleOf(options, 33).totalSteps).toBe(5);
  });
});

describe("the disk space that a run still needs", () => {
  test("is three checkpoints with both moments and the model; what lies there already needs no second place", () => {
    // 100 bytes of weights: 3 × 300 + 100 = 1000; with two checkpoints of 300 there, 400.
    expect(neededBytes(100, 0)).toBe(1000);
    expect(neededBytes(100, 600)).toBe(400);
  });
});

test("what a killed run was saving goes, whatever its step, before the space is counted", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "step-00000099.partial"));
  expect(await openCheckpoints(folder).load()).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
});

describe("the plan of an epoch", () => {
  const lengths = Int32Array.from({ length: 1000 }, (_, i) => 20 + ((i * 7919) % 365));
  const options = { batchWindows: 16, lengthGroupBatches: 20, seed: 1 };

  test("takes the whole of SQuAD 2.0 in batches of one window: 131,754 of them", () => {
    // More than V8 takes as arguments of one call.
    const many = new Int32Array(131_754).fill(20);
    many[70_000] = 384;
    const batches = planEpoch(many, { batchWindows: 1, lengthGroupBatches: 50, seed: 1 }, 0);
    expect(batches).toHaveLength(131_754);
    expect(batches[0]).toEqual([70_000]);
  });

  test("holds every window once, in batches of 16 and one of 8", () => {
    const batches = planEpoch(lengths, options, 0);
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
    const sizes = batches.map((batch) => batch.length).filter((size) => size !== 16);
    expect(sizes).toEqual([1000 % 16]);
  });

  test("is the same for the same seed and epoch, and another for another", () => {
    expect(planEpoch(lengths, options, 3)).toEqual(planEpoch(lengths, options, 3));
    expect(planEpoch(lengths, options, 3)).not.toEqual(planEpoch(lengths, options, 4));
    expect(planEpoch(lengths, options, 3)).not.toEqual(planEpoch(lengths, { ...options, seed: 2 }, 3));
  });

  test("groups by length: a tenth of the padding of shuffled batches", () => {
    const padding = (lengthGroupBatches: number) => {
      const counts = countBatchTokens(lengths, planEpoch(lengths, { ...options, lengthGroupBatches }, 1));
      return counts.paddedTokens / counts.tokens - 1;
    };
    expect(padding(20)).toBeLessThan(0.1 * padding(1));
  });

  test("starts with the largest batch in epoch 0, so that too little memory shows at step 1", () => {
    const sizes = planEpoch(lengths, options, 0).map((batch) => countBatchTokens(lengths, [batch]).paddedTokens);
    expect(sizes[0]).toBe(Math.max(...sizes));
  });
});
