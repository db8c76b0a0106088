import { ShapeError, type BertConfig } from "@bertqa/core";
import {
  placeholder,
  type Engine,
  type FeedValue,
  type Graph,
  type GraphOptions,
  type Precision,
  type RunOptions,
  type Tensor,
} from "@bertqa/engine";
import type { NetworkInputs } from "./network.ts";
import type { SpanLabels } from "./blocks/answer-head.ts";
import type { AnswerabilityOptions, LabelledBatch, WindowBatch } from "./types.ts";

/** Added to what must get weight 0 in a float32 softmax. */
const EXCLUDED = -1e9;

/** One shard of a batch: some of its windows, all of its tokens. */
export interface ShardPlaceholders extends NetworkInputs {
  readonly labels: LabelPlaceholders;
  /** For the loss in two parts; fed where the trainer has one. */
  readonly spans: SpanPlaceholders;
}

type SpanPlaceholders = Omit<SpanLabels, "tokenCount">;

interface LabelPlaceholders {
  /** int32 [B] */
  readonly start: Tensor<"int32">;
  /** int32 [B] */
  readonly end: Tensor<"int32">;
}

export interface BatchPlaceholders {
  /** int32 [L] */
  readonly positions: Tensor<"int32">;
  /** int32 scalar, L */
  readonly tokenCount: Tensor<"int32">;
  /** float32 [1, L] */
  readonly logitBias: Tensor<"float32">;
  readonly shards: readonly ShardPlaceholders[];
  /** The rows of each shard, as {@link splitBatch} gives them. */
  readonly split: (rowCount: number) => ReturnType<typeof splitBatch>;
  /** L of the device for a batch of this many tokens. */
  readonly paddedTokenCount: (tokenCount: number) => number;
}

/** What a model needs of the engine. */
export type ModelEngine = Pick<Engine, "binding" | "device" | "fusedKernels">;

/** Float32 on a CPU is computed by our own kernels; everything else in clusters, compiled once per shape. */
export function graphOptionsFor(engine: ModelEngine, precision: Precision): GraphOptions {
  return { compileClusters: true, fusedKernels: engine.fusedKernels && precision === "float32" };
}

/**
 * Shards of a batch that a graph computes side by side, their gradients added up. On a CPU two, each on half the cores: an
 * op on half the cores wastes less of them than one on all (10 % of a step on two cores). A GPU runs one op at a time.
 */
export function shardCountFor(device: Engine["device"]): number {
  return device === "cpu" ? 2 : 1;
}

/** Name of a shard's lengths in the graph. */
export function shardName(index: number): string {
  return `shard${index}`;
}

/**
 * Splits windows in order, as evenly as can be, the larger shard first.
 *
 * @param passes rows of one window, next to each other, which stay together
 * @returns no more shards than windows
 */
export function splitBatch(
  rowCount: number,
  shardCount: number,
  passes = 1,
): { readonly first: number; readonly end: number }[] {
  const windowCount = rowCount / passes;
  if (!Number.isInteger(windowCount)) {
    throw new ShapeError("model", `a batch of ${rowCount} rows does not hold every window ${passes} times`);
  }
  const count = Math.min(windowCount, shardCount);
  const bound = (shard: number) => Math.ceil((shard * windowCount) / count) * passes;
  return Array.from({ length: count }, (_, shard) => ({ first: bound(shard), end: bound(shard + 1) }));
}

/** @param passes as in {@link splitBatch} */
export function batchPlaceholders(graph: Graph, shardCount: number, passes = 1): BatchPlaceholders {
  const positions = placeholder(graph, "int32");
  const shard = () => ({
    indices: {
      words: placeholder(graph, "int32"),
      trainedWords: placeholder(graph, "int32"),
      positions,
      types: placeholder(graph, "int32"),
    },
    maskBias: placeholder(graph, "float32"),
    labels: { start: placeholder(graph, "int32"), end: placeholder(graph, "int32") },
    spans: {
      start: placeholder(graph, "int32"),
      end: placeholder(graph, "int32"),
      spanWeight: placeholder(graph, "float32"),
      isNull: placeholder(graph, "float32"),
      contextBias: placeholder(graph, "float32"),
    },
  });
  return {
    positions,
    tokenCount: placeholder(graph, "int32"),
    logitBias: placeholder(graph, "float32"),
    shards: Array.from({ length: shardCount }, shard),
    split: (rowCount) => splitBatch(rowCount, shardCount, passes),
    paddedTokenCount: graph.options.fusedKernels ? (tokenCount) => tokenCount : paddedTokenCount,
  };
}

/**
 * L as the device sees it. Clusters are compiled once per shape, so it is rounded up: to a multiple of 8, and of 16 where
 * that is less than a sixteenth. On SQuAD's lengths this adds 2 % of work for 33 shapes; 16 throughout 4 % for 21.
 */
export function paddedTokenCount(tokenCount: number): number {
  const multiple = tokenCount <= 256 ? 8 : 16;
  return Math.ceil(tokenCount / multiple) * multiple;
}

/**
 * A batch as the graph reads it, its windows split into the graph's shards. Tokens added by rounding have no weight in
 * attention and no part in the loss.
 *
 * @returns what to feed, and how many shards have windows
 * @throws ShapeError where an array is not [B, L], or L exceeds the model's positions
 */
export function feedBatch(placeholders: BatchPlaceholders, batch: WindowBatch, config: BertConfig) {
  checkBatch(batch, config);
  const L = placeholders.paddedTokenCount(batch.tokenCount);
  const feeds = new Map<Tensor, FeedValue>([
    [placeholders.positions, { dtype: "int32", shape: [L], data: positions(L, config.maxPositions) }],
  ]);
  const lengths: Record<string, number> = {};
  const shards = placeholders.split(batch.windowCount);
  for (const [index, { first, end }] of shards.entries()) {
    const B = end - first;
    const shape = [B, L];
    const rows = { first, end, tokenCount: batch.tokenCount };
    const { indices, maskBias } = placeholders.shards[index]!;
    feeds.set(indices.words, { dtype: "int32", shape, data: padRows(batch.inputIds, rows, L) });
    feeds.set(indices.types, { dtype: "int32", shape, data: padRows(batch.tokenTypeIds, rows, L) });
    const bias = Float32Array.from(padRows(batch.attentionMask, rows, L), (isReal) => (isReal ? 0 : EXCLUDED));
    feeds.set(maskBias, { dtype: "float32", shape: [B, 1, 1, L], data: bias });
    // P pairs of rows, where a window has two.
    for (const [name, length] of Object.entries({ B, L, N: B * L, P: B / 2 }))
      lengths[`${shardName(index)}.${name}`] = length;
  }
  return { feeds, lengths, shardCount: shards.length } satisfies RunOptions & { shardCount: number };
}

/** Adds to what `feedBatch` made: the labels, and which words' embeddings take a gradient. */
export function feedLabels(
  feeds: Map<Tensor, FeedValue>,
  placeholders: BatchPlaceholders,
  batch: LabelledBatch,
  config: BertConfig,
): void {
  const L = placeholders.paddedTokenCount(batch.tokenCount);
  checkLabels("startPositions", batch.startPositions, batch);
  checkLabels("endPositions", batch.endPositions, batch);
  for (const [index, { first, end }] of placeholders.split(batch.windowCount).entries()) {
    const { labels, indices } = placeholders.shards[index]!;
    const B = end - first;
    feeds.set(labels.start, { dtype: "int32", shape: [B], data: batch.startPositions.slice(first, end) });
    feeds.set(labels.end, { dtype: "int32", shape: [B], data: batch.endPositions.slice(first, end) });
    const words = padRows(batch.inputIds, { first, end, tokenCount: batch.tokenCount }, L, -1);
    const trained = config.paddingId === undefined ? words : words.map((id) => (id === config.paddingId ? -1 : id));
    feeds.set(indices.trainedWords, { dtype: "int32", shape: [B, L], data: trained });
  }
  feeds.set(placeholders.tokenCount, { dtype: "int32", shape: [], data: Int32Array.of(L) });
  const bias = Float32Array.from({ length: L }, (_, token) => (token < batch.tokenCount ? 0 : EXCLUDED));
  feeds.set(placeholders.logitBias, { dtype: "float32", shape: [1, L], data: bias });
}

/** Adds to what `feedBatch` made the labels of the loss in two parts; context is what has token type 1. */
export function feedSpans(
  feeds: Map<Tensor, FeedValue>,
  placeholders: BatchPlaceholders,
  batch: LabelledBatch,
  { plausibleWeight }: AnswerabilityOptions,
): void {
  const L = placeholders.paddedTokenCount(batch.tokenCount);
  for (const [index, { first, end }] of placeholders.split(batch.windowCount).entries()) {
    const { spans } = placeholders.shards[index]!;
    const B = end - first;
    const isContext = padRows(batch.tokenTypeIds, { first, end, tokenCount: batch.tokenCount }, L);
    const labels = Array.from({ length: B }, (_, row) =>
      spanLabel(batch, first + row, isContext.indexOf(1, row * L) - row * L, plausibleWeight),
    );
    const int32 = (data: Int32Array) => ({ dtype: "int32" as const, shape: [B], data });
    const float32 = (data: Float32Array) => ({ dtype: "float32" as const, shape: [B], data });
    feeds.set(spans.start, int32(Int32Array.from(labels, (label) => label.start)));
    feeds.set(spans.end, int32(Int32Array.from(labels, (label) => label.end)));
    feeds.set(spans.spanWeight, float32(Float32Array.from(labels, (label) => label.weight)));
    feeds.set(spans.isNull, float32(Float32Array.from(labels, (label) => (label.isNull ? 1 : 0))));
    const bias = Float32Array.from(isContext, (type) => (type === 1 ? 0 : EXCLUDED));
    feeds.set(spans.contextBias, { dtype: "float32", shape: [B, L], data: bias });
  }
}

function spanLabel(batch: LabelledBatch, row: number, firstContextToken: number, plausibleWeight: number) {
  const answer = { start: batch.startPositions[row]!, end: batch.endPositions[row]! };
  const isNull = answer.start === 0;
  if (!isNull) return { ...answer, weight: 1, isNull };
  const start = batch.plausibleStartPositions?.[row] ?? 0;
  const end = batch.plausibleEndPositions?.[row] ?? 0;
  if (start > 0) return { start, end, weight: plausibleWeight, isNull };
  return { start: firstContextToken, end: firstContextToken, weight: 0, isNull };
}

/** Rows `first` to before `end` of a batch of `tokenCount` tokens. */
interface BatchRows {
  readonly first: number;
  readonly end: number;
  readonly tokenCount: number;
}

/** [B, tokenCount] → [rows, L] */
function padRows(values: Int32Array, { first, end, tokenCount }: BatchRows, L: number, filler = 0): Int32Array {
  const padded = new Int32Array((end - first) * L).fill(filler);
  for (let row = first; row < end; row += 1) {
    padded.set(values.subarray(row * tokenCount, (row + 1) * tokenCount), (row - first) * L);
  }
  return padded;
}

function positions(L: number, maxPositions: number): Int32Array {
  return Int32Array.from({ length: L }, (_, token) => Math.min(token, maxPositions - 1));
}

/** @throws ShapeError where an array is not [B, L], or L exceeds the model's positions */
export function checkBatch(batch: WindowBatch, { maxPositions, vocabularySize, tokenTypeCount }: BertConfig): void {
  const { windowCount, tokenCount } = batch;
  if (tokenCount < 1 || tokenCount > maxPositions) {
    throw new ShapeError("model", `a batch has ${tokenCount} tokens per window, the model takes 1 to ${maxPositions}`, {
      remedy: "Tokenize with a smaller maxTokens",
    });
  }
  for (const name of ["inputIds", "tokenTypeIds", "attentionMask"] as const) {
    const got = batch[name].length;
    const expected = windowCount * tokenCount;
    if (got !== expected) {
      throw new ShapeError(
        "model",
        `${name}: got ${got} numbers, expected ${windowCount} × ${tokenCount} = ${expected}`,
      );
    }
  }
  checkRange("inputIds", batch.inputIds, vocabularySize);
  checkRange("tokenTypeIds", batch.tokenTypeIds, tokenTypeCount);
}

function checkLabels(name: string, values: Int32Array, { windowCount, tokenCount }: LabelledBatch): void {
  if (values.length !== windowCount) {
    throw new ShapeError(
      "model",
      `${name}: got ${values.length} numbers, expected one for each of ${windowCount} windows`,
    );
  }
  checkRange(name, values, tokenCount);
}

function checkRange(name: string, values: Int32Array, end: number): void {
  const bad = values.findIndex((value) => value < 0 || value >= end);
  if (bad >= 0) throw new ShapeError("model", `${name}: got ${values[bad]} at place ${bad}, expected 0 to ${end - 1}`);
}
