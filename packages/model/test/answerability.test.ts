import { Graph, loadEngine, placeholder, Session, type FeedValue, type Tensor } from "@bertqa/engine";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answerabilityLoss } from "../src/blocks/answer-head.ts";
import { readCheckpoint } from "../src/checkpoint.ts";
import { batchPlaceholders, feedSpans } from "../src/feeds.ts";
import { createTrainer } from "../src/trainer.ts";
import type { AnswerabilityOptions, LabelledBatch, TrainerOptions } from "../src/types.ts";
import { fixtureFolder, gap, readOracle } from "./support.ts";

const float32 = (shape: readonly number[], data: readonly number[]): FeedValue => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(data),
});
const int32 = (shape: readonly number[], data: readonly number[]): FeedValue => ({
  dtype: "int32",
  shape,
  data: Int32Array.from(data),
});

test("the loss in two parts and its gradients by the logits are those of PyTorch's autograd", async () => {
  const oracle = JSON.parse(await readFile(join(import.meta.dirname, "fixtures/answerability.json"), "utf8")) as {
    weight: number;
    context: number[][];
    spans: [start: number, end: number, weight: number, isNull: number][];
    logits: [start: number[][], end: number[][]];
    loss: number;
    gradient: [start: number[][], end: number[][]];
  };
  const engine = await loadEngine();
  const graph = new Graph({ compileClusters: false });
  const [B, L] = [4, 7];
  const feeds = new Map<Tensor, FeedValue>();
  const feed = <T extends "float32" | "int32">(dtype: T, value: FeedValue) => {
    const tensor = placeholder(graph, dtype);
    feeds.set(tensor, value);
    return tensor;
  };
  const column = (index: number) => oracle.spans.map((span) => span[index] as number);
  const logits = {
    start: feed("float32", float32([B, L], oracle.logits[0].flat())),
    end: feed("float32", float32([B, L], oracle.logits[1].flat())),
  };
  const labels = {
    start: feed("int32", int32([B], column(0))),
    end: feed("int32", int32([B], column(1))),
    spanWeight: feed("float32", float32([B], column(2))),
    isNull: feed("float32", float32([B], column(3))),
    contextBias: feed(
      "float32",
      float32(
        [B, L],
        oracle.context.flat().map((inside) => (inside ? 0 : -1e9)),
      ),
    ),
    tokenCount: feed("int32", int32([], [L])),
  };
  const result = answerabilityLoss(logits, labels, oracle.weight);
  const session = new Session(engine.binding, graph);
  const fetched = session.run([result.loss, result.start, result.end], { feeds, lengths: { B, L, N: B * L } });
  session.dispose();
  const [loss, start, end] = fetched.map(({ data }) => data);
  expect(loss![0]).toBeCloseTo(oracle.loss, 4);
  // Twice the gradient: the head's backward pass takes the half back.
  const twice = (rows: number[][]) => Float32Array.from(rows.flat(), (x) => 2 * x);
  expect(gap(start!, twice(oracle.gradient[0])).largest).toBeLessThan(1e-5);
  expect(gap(end!, twice(oracle.gradient[1])).largest).toBeLessThan(1e-5);
});

test("a window's span is its answer, else its plausible answer with that weight, else none; padding is no context", () => {
  const graph = new Graph({ compileClusters: false });
  const inputs = batchPlaceholders(graph, 2);
  // Of 3 windows of 5 tokens the first two are the first shard's; on the device L is 8.
  const batch: LabelledBatch = {
    windowCount: 3,
    tokenCount: 5,
    inputIds: new Int32Array(15),
    attentionMask: new Int32Array(15).fill(1),
    tokenTypeIds: Int32Array.of(0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0),
    startPositions: Int32Array.of(2, 0, 0),
    endPositions: Int32Array.of(3, 0, 0),
    plausibleStartPositions: Int32Array.of(0, 1, 0),
    plausibleEndPositions: Int32Array.of(0, 2, 0),
  };
  const feeds = new Map<Tensor, FeedValue>();
  feedSpans(feeds, inputs, batch, { weight: 1, plausibleWeight: 0.5 });
  const [first, second] = inputs.shards.map(({ spans }) => spans);
  const fed = (tensor: Tensor) => [...(feeds.get(tensor)!.data as Float32Array)];
  expect([fed(first!.start), fed(first!.end)]).toEqual([
    [2, 1],
    [3, 2],
  ]);
  expect([fed(first!.spanWeight), fed(first!.isNull)]).toEqual([
    [1, 0.5],
    [0, 1],
  ]);
  // No span: its label is the first context token, so that the softmax's sum can be read from the cross entropy.
  expect([fed(second!.start), fed(second!.spanWeight), fed(second!.isNull)]).toEqual([[3], [0], [1]]);
  expect(fed(second!.contextBias).map((bias) => bias === 0)).toEqual([0, 0, 0, 1, 0, 0, 0, 0].map(Boolean));
});

test("one batch is learned by the loss in two parts, and its parts weigh as told", async () => {
  const engine = await loadEngine();
  const checkpoint = await readCheckpoint(fixtureFolder, { seed: 1, stage: "test" });
  const { batch } = await readOracle(fixtureFolder);
  const labelled = {
    ...batch,
    plausibleStartPositions: Int32Array.of(0, 5, 0, 0),
    plausibleEndPositions: Int32Array.of(0, 5, 0, 0),
  };
  const adamW = { weightDecay: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, maxGradientNorm: 1 };
  const options: TrainerOptions = { precision: "float32", seed: 1, hiddenDropout: 0, attentionDropout: 0, ...adamW };
  const lossesWith = (answerability: AnswerabilityOptions, steps: number) => {
    const trainer = createTrainer(engine, checkpoint, { ...options, answerability });
    const losses = Array.from({ length: steps }, (_, step) => {
      trainer.accumulate(labelled, { step, microStep: 0, weight: 1 });
      trainer.applyGradients(0.01);
      return trainer.takeMeanLoss();
    });
    trainer.dispose();
    return losses;
  };
  const losses = lossesWith({ weight: 1, plausibleWeight: 1 }, 40);
  expect(losses.at(-1)).toBeLessThan(0.05 * losses[0]!);
  // At equal weights the loss is a + b·w + c·p: three of them give the fourth.
  const at = (weight: number, plausibleWeight: number) => lossesWith({ weight, plausibleWeight }, 1)[0]!;
  expect(at(2, 1)).toBeCloseTo(at(1, 1) + at(2, 0) - at(1, 0), 4);
  expect(at(1, 1)).toBeGreaterThan(at(1, 0));
});
