import { beforeAll, describe, expect, test } from "vitest";
import { loadEngine, type Engine } from "@bertqa/engine";
import type { HostTensor } from "@bertqa/core";
import { createPredictor, createTrainer, readCheckpoint, type BertCheckpoint } from "@bertqa/model";
import { splitBatch } from "../src/feeds.ts";
import type { LabelledBatch, TrainerOptions } from "../src/types.ts";
import { fixtureFolder, gap, readOracle } from "./support.ts";

const options: TrainerOptions = {
  precision: "float32",
  seed: 5,
  weightDecay: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  maxGradientNorm: 1,
  hiddenDropout: 0.1,
  attentionDropout: 0.2,
};

let engine: Engine;
let checkpoint: BertCheckpoint;
let batch: LabelledBatch;

beforeAll(async () => {
  engine = await loadEngine();
  checkpoint = await readCheckpoint(fixtureFolder, { seed: 1, stage: "test" });
  ({ batch } = await readOracle(fixtureFolder));
});

/** Steps `from` to `until` of a run; its state at the end. */
function train(given: Partial<TrainerOptions>, from: number, until: number, start?: ReadonlyMap<string, HostTensor>) {
  const trainer = createTrainer(engine, checkpoint, { ...options, ...given });
  if (start) trainer.importState(start);
  for (let step = from; step < until; step += 1) {
    trainer.accumulate(batch, { step, microStep: 0, weight: 1 });
    trainer.applyGradients(0.01);
  }
  const state = trainer.exportState();
  trainer.dispose();
  return state;
}

/** Loss and state of one step over micro-batches, each weighed by its share of the rows. */
function oneStep(given: Partial<TrainerOptions>, batches: readonly LabelledBatch[]) {
  const trainer = createTrainer(engine, checkpoint, { ...options, ...given });
  const rows = batches.reduce((sum, { windowCount }) => sum + windowCount, 0);
  batches.forEach((micro, microStep) =>
    trainer.accumulate(micro, { step: 0, microStep, weight: micro.windowCount / rows }),
  );
  trainer.applyGradients(0.01);
  const result = { loss: trainer.takeMeanLoss(), state: trainer.exportState() };
  trainer.dispose();
  return result;
}

/** After one step they are the gradients, but for a factor. */
function expectSameFirstMoments(
  state: ReadonlyMap<string, HostTensor>,
  expected: ReadonlyMap<string, HostTensor>,
  tolerance: number,
): void {
  for (const [name, { data }] of expected) {
    if (!name.startsWith("optimizer.first_moment.")) continue;
    expect(gap(state.get(name)!.data, data).largest, name).toBeLessThan(tolerance);
  }
}

/** Some of the fixture's batch. */
function windowsOf(...windows: number[]): LabelledBatch {
  const rows = (values: Int32Array, width: number) =>
    Int32Array.from(windows.flatMap((window) => [...values.subarray(window * width, (window + 1) * width)]));
  const L = batch.tokenCount;
  return {
    windowCount: windows.length,
    tokenCount: L,
    inputIds: rows(batch.inputIds, L),
    tokenTypeIds: rows(batch.tokenTypeIds, L),
    attentionMask: rows(batch.attentionMask, L),
    startPositions: rows(batch.startPositions, 1),
    endPositions: rows(batch.endPositions, 1),
  };
}

function firstDifference(a: ReadonlyMap<string, HostTensor>, b: ReadonlyMap<string, HostTensor>): string | undefined {
  return [...a].find(
    ([name, { data }]) => !Buffer.from(data.buffer).equals(Buffer.from(b.get(name)!.data.buffer)),
  )?.[0];
}

describe("dropout", () => {
  test("one seed gives the same weights bit for bit, another seed others", () => {
    const first = train({}, 0, 4);
    expect(firstDifference(first, train({}, 0, 4))).toBeUndefined();
    expect(firstDifference(first, train({ seed: 6 }, 0, 4))).toBeDefined();
  });

  test("two steps, a resume and two more give the weights of four steps, bit for bit", () => {
    const whole = train({}, 0, 4);
    const resumed = train({}, 2, 4, train({}, 0, 2));
    expect(firstDifference(whole, resumed)).toBeUndefined();
  });

  test("layers recomputed in the backward pass draw the same masks", () => {
    const whole = train({}, 0, 3);
    const recomputed = train({ recomputeLayers: true }, 0, 3);
    for (const [name, { data }] of whole)
      expect(gap(recomputed.get(name)!.data, data).largest, name).toBeLessThan(1e-6);
  });

  test("each step and each micro-batch has masks of its own, whose mean loss is near the loss without dropout", () => {
    // 60 losses of spread s have a mean within 3 s / √60 of the true one; dropout's own bias is small beside that.
    const lossesOf = (given: Partial<TrainerOptions>, places: readonly { step: number; microStep: number }[]) => {
      const trainer = createTrainer(engine, checkpoint, { ...options, ...given });
      const losses = places.map((place) => {
        trainer.accumulate(batch, { ...place, weight: 1 });
        trainer.applyGradients(0);
        return trainer.takeMeanLoss();
      });
      trainer.dispose();
      return losses;
    };
    const places = Array.from({ length: 60 }, (_, index) => ({ step: index >> 1, microStep: index & 1 }));
    const small = { hiddenDropout: 0.02, attentionDropout: 0.02, weightDecay: 0 };
    const losses = lossesOf(small, places);
    expect(new Set(losses).size).toBe(60);
    const [exact] = lossesOf({ ...small, hiddenDropout: 0, attentionDropout: 0 }, [{ step: 0, microStep: 0 }]);
    const mean = losses.reduce((sum, loss) => sum + loss) / 60;
    const spread = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 60);
    expect(Math.abs(mean - exact!)).toBeLessThan(3 * (spread / Math.sqrt(60)) + 0.02);
  });
});

describe("R-Drop", () => {
  // Three windows: the shards of a CPU take two and one of them.
  const twice = () => windowsOf(0, 0, 1, 1, 2, 2);

  test.each([undefined, { weight: 1, plausibleWeight: 1 }])("without dropout adds nothing (%o)", (answerability) => {
    const noDropout = { hiddenDropout: 0, attentionDropout: 0, answerability };
    const once = oneStep(noDropout, [windowsOf(0, 1, 2)]);
    const both = oneStep({ ...noDropout, rDropWeight: 3 }, [twice()]);
    expect(both.loss).toBeCloseTo(once.loss, 5);
    expectSameFirstMoments(both.state, once.state, 1e-6);
  });

  test("with dropout adds what the passes disagree by, as its weight says", () => {
    const lossAt = (rDropWeight: number) => oneStep({ rDropWeight }, [twice()]).loss;
    const [half, one, two] = [lossAt(0.5), lossAt(1), lossAt(2)];
    expect(two - one).toBeGreaterThan(1e-3);
    expect(two - one).toBeCloseTo(2 * (one - half), 4);
  });

  test("asks for every window twice", () => {
    expect(() => oneStep({ rDropWeight: 1 }, [windowsOf(0, 1, 2)])).toThrow(
      "3 rows does not hold every window 2 times",
    );
  });
});

test("windows are split in order, the larger shard first, and no shard is empty", () => {
  const sizes = (...args: Parameters<typeof splitBatch>) => splitBatch(...args).map(({ first, end }) => [first, end]);
  expect(sizes(16, 2)).toEqual([
    [0, 8],
    [8, 16],
  ]);
  expect(sizes(5, 2)).toEqual([
    [0, 3],
    [3, 5],
  ]);
  expect(sizes(1, 2)).toEqual([[0, 1]]);
  expect(sizes(7, 1)).toEqual([[0, 7]]);
  // Pairs stay together.
  expect(sizes(6, 2, 2)).toEqual([
    [0, 4],
    [4, 6],
  ]);
});

test.each([1, 3])("the first %i of four windows have the logits that they have among all four", (count) => {
  const predictor = createPredictor(engine, checkpoint, { precision: "float32" });
  const all = predictor.predict(batch);
  const some = predictor.predict(windowsOf(...Array(count).keys()));
  predictor.dispose();
  for (const side of ["startLogits", "endLogits"] as const) {
    expect(gap(some[side], all[side].slice(0, count * batch.tokenCount)).largest).toBeLessThan(1e-5);
  }
});

test("two half batches accumulated by their share of the windows make the step of the whole batch", () => {
  const step = (batches: LabelledBatch[]) => oneStep({ hiddenDropout: 0, attentionDropout: 0 }, batches);
  const whole = step([batch]);
  const halves = step([windowsOf(0), windowsOf(1, 2, 3)]);
  expect(halves.loss).toBeCloseTo(whole.loss, 5);
  expectSameFirstMoments(halves.state, whole.state, 1e-7);
});

test("20 steps leave no tensor behind, and a disposed trainer and predictor no graph", () => {
  const graphs = engine.binding.getNumOfSavedModels();
  const trainer = createTrainer(engine, checkpoint, options);
  const step = (index: number) => {
    trainer.accumulate(batch, { step: index, microStep: 0, weight: 1 });
    trainer.applyGradients(0.001);
    trainer.takeMeanLoss();
  };
  step(0);
  const tensors = engine.binding.getNumOfTensors();
  for (let index = 1; index <= 20; index += 1) step(index);
  trainer.exportCheckpoint();
  expect(engine.binding.getNumOfTensors()).toBe(tensors);
  trainer.dispose();
  const predictor = createPredictor(engine, checkpoint, { precision: "float32" });
  predictor.predict(batch);
  expect(engine.binding.getNumOfTensors()).toBe(tensors);
  predictor.dispose();
  expect(engine.binding.getNumOfSavedModels()).toBe(graphs);
});

test("padding has no weight: other ids under it leave every real token's logits as they were, bit for bit", () => {
  const predictor = createPredictor(engine, checkpoint, { precision: "float32" });
  const before = predictor.predict(batch);
  const inputIds = batch.inputIds.map((id, place) => (batch.attentionMask[place] ? id : 1 + (place % 30)));
  const after = predictor.predict({ ...batch, inputIds });
  predictor.dispose();
  const real = (logits: Float32Array) => logits.filter((_, place) => batch.attentionMask[place]);
  expect(real(after.startLogits)).toEqual(real(before.startLogits));
  expect(real(after.endLogits)).toEqual(real(before.endLogits));
});

describe("bad input", () => {
  test("a batch that is not [B, L], too long, or has ids outside the vocabulary is refused with the numbers", () => {
    const predictor = createPredictor(engine, checkpoint, { precision: "float32" });
    const refused = (given: Partial<LabelledBatch>) => () => predictor.predict({ ...batch, ...given });
    expect(refused({ tokenCount: 8 })).toThrow("inputIds: got 36 numbers, expected 4 × 8 = 32");
    expect(refused({ tokenCount: 24 })).toThrow("24 tokens per window, the model takes 1 to 23");
    expect(refused({ inputIds: batch.inputIds.with(3, 37) })).toThrow("inputIds: got 37 at place 3, expected 0 to 36");
    predictor.dispose();
  });

  test("a training state of another model is refused with every tensor named", () => {
    const trainer = createTrainer(engine, checkpoint, options);
    const state = trainer.exportState();
    state.delete("qa_outputs.bias");
    state.set("optimizer.step_count", { shape: [2], data: new Float32Array(2) });
    expect(() => trainer.importState(state)).toThrow(
      /missing qa_outputs\.bias \[2\]; optimizer\.step_count: got \[2\], expected \[1\]/,
    );
    trainer.dispose();
  });

  test("gradients cannot be applied before there are any", () => {
    const trainer = createTrainer(engine, checkpoint, options);
    expect(() => trainer.applyGradients(0.1)).toThrow("needs an accumulate");
    trainer.dispose();
  });
});
