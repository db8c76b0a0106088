import { Graph, loadEngine, placeholder, Session, type FeedValue, type Tensor } from "@bertqa/engine";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { answerabilityLoss, answerLoss, type SpanLabels } from "../src/blocks/answer-head.ts";
import { readCheckpoint } from "../src/checkpoint.ts";
import { batchPlaceholders, feedSpans } from "../src/feeds.ts";
import { createTrainer } from "../src/trainer.ts";
import type { AnswerabilityOptions, LabelledBatch, TrainerOptions } from "../src/types.ts";
import { fixtureFolder, gap, readOracle } from "./support.ts";

interface Outcome {
  readonly loss: number;
  readonly gradient: readonly [start: number[][], end: number[][]];
}
type Logits = readonly [start: number[][], end: number[][]];

interface Oracle extends Outcome {
  readonly weight: number;
  readonly context: number[][];
  readonly spans: [start: number, end: number, weight: number, isNull: number][];
  readonly logits: Logits;
  /** Two windows, each in two rows. */
  readonly rDrop: {
    readonly weight: number;
    readonly windows: number[];
    readonly logits: Logits;
    readonly answerability: Outcome;
    readonly positions: Outcome;
  };
}

const oracle = JSON.parse(await readFile(join(import.meta.dirname, "fixtures/answerability.json"), "utf8")) as Oracle;
const [B, L] = [4, 7];

describe("loss and gradients by the logits are those of PyTorch's autograd:", () => {
  const { rDrop, weight } = oracle;
  const spansOf = (windows: readonly number[], feed: Feed): SpanLabels => {
    const column = (index: number) => windows.map((window) => oracle.spans[window]![index] as number);
    const bias = windows.flatMap((window) => oracle.context[window]!.map((inside) => (inside ? 0 : -1e9)));
    return {
      start: feed.int32([B], column(0)),
      end: feed.int32([B], column(1)),
      spanWeight: feed.float32([B], column(2)),
      isNull: feed.float32([B], column(3)),
      contextBias: feed.float32([B, L], bias),
      tokenCount: feed.int32([], [L]),
    };
  };

  test("the loss in two parts", async () => {
    const loss = await outcomeOf(oracle.logits, (logits, feed) =>
      answerabilityLoss(logits, spansOf([0, 1, 2, 3], feed), weight),
    );
    expectEqual(loss, oracle);
  });

  test("the loss in two parts, with R-Drop", async () => {
    const loss = await outcomeOf(rDrop.logits, (logits, feed) =>
      answerabilityLoss(logits, spansOf(rDrop.windows, feed), weight, rDrop.weight),
    );
    expectEqual(loss, rDrop.answerability);
  });

  test("the loss over all positions, with R-Drop", async () => {
    const labels = (index: number) =>
      rDrop.windows.map((window) => (oracle.spans[window]![3] === 1 ? 0 : oracle.spans[window]![index]!));
    const loss = await outcomeOf(rDrop.logits, (logits, feed) => {
      const start = feed.int32([B], labels(0));
      const end = feed.int32([B], labels(1));
      const logitBias = feed.float32([1, L], Array<number>(L).fill(0));
      return answerLoss(logits, { start, end, logitBias, tokenCount: feed.int32([], [L]) }, rDrop.weight);
    });
    expectEqual(loss, rDrop.positions);
  });
});

/** Placeholders, with the values that they are fed. */
interface Feed {
  readonly float32: (shape: readonly number[], data: readonly number[]) => Tensor<"float32">;
  readonly int32: (shape: readonly number[], data: readonly number[]) => Tensor<"int32">;
}

/** @returns loss, and twice the gradients by the logits: the head's backward pass takes the half back */
async function outcomeOf(
  [start, end]: Logits,
  lossOf: (logits: { start: Tensor<"float32">; end: Tensor<"float32"> }, feed: Feed) => ReturnType<typeof answerLoss>,
) {
  const engine = await loadEngine();
  const graph = new Graph({ compileClusters: false });
  const feeds = new Map<Tensor, FeedValue>();
  const fed = <T extends "float32" | "int32">(dtype: T, value: Omit<FeedValue, "dtype">): Tensor<T> => {
    const tensor = placeholder(graph, dtype);
    feeds.set(tensor, { dtype, ...value } as FeedValue);
    return tensor;
  };
  const feed: Feed = {
    float32: (shape, data) => fed("float32", { shape, data: Float32Array.from(data) }),
    int32: (shape, data) => fed("int32", { shape, data: Int32Array.from(data) }),
  };
  const logits = (rows: number[][]) => feed.float32([B, L], rows.flat());
  const outcome = lossOf({ start: logits(start), end: logits(end) }, feed);
  const session = new Session(engine.binding, graph);
  const lengths = { B, L, N: B * L, P: B / 2 };
  const fetched = session.run([outcome.loss, outcome.start, outcome.end], { feeds, lengths });
  session.dispose();
  return fetched.map(({ data }) => data) as [Float32Array, Float32Array, Float32Array];
}

function expectEqual([loss, start, end]: [Float32Array, Float32Array, Float32Array], expected: Outcome): void {
  expect(loss[0]).toBeCloseTo(expected.loss, 4);
  const twice = (rows: number[][]) => Float32Array.from(rows.flat(), (x) => 2 * x);
  expect(gap(start, twice(expected.gradient[0])).largest).toBeLessThan(1e-5);
  expect(gap(end, twice(expected.gradient[1])).largest).toBeLessThan(1e-5);
}

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
