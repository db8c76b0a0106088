import { Graph, Session, type Fetched } from "@bertqa/engine";
import { answerLogits } from "./blocks/answer-head.ts";
import {
  batchPlaceholders,
  checkBatch,
  feedBatch,
  graphOptionsFor,
  shardCountFor,
  shardName,
  type ModelEngine,
} from "./feeds.ts";
import { forward } from "./network.ts";
import { listParameters } from "./parameters.ts";
import { StoredTensors } from "./stored-weights.ts";
import type { BertCheckpoint, Predictor, PredictorOptions, WindowBatch } from "./types.ts";

/**
 * The forward pass, without dropout.
 *
 * @throws BertqaError if the graph cannot be written for TensorFlow to load, or memory runs out
 */
export function createPredictor(engine: ModelEngine, checkpoint: BertCheckpoint, options: PredictorOptions): Predictor {
  const { config } = checkpoint;
  const graph = new Graph(graphOptionsFor(engine, options.precision));
  const weights = new StoredTensors(graph, "weight", listParameters(config));
  const inputs = batchPlaceholders(graph, shardCountFor(engine.device));
  const dropout = { hiddenDropout: 0, attentionDropout: 0, random: undefined, recomputeLayers: false };
  const value = (name: string) => weights.value(name);
  const head = { weight: value("answer.weight"), bias: value("answer.bias") };
  const logits = inputs.shards.map((shard, index) =>
    graph.withOwnLengths(shardName(index), () => {
      const { last } = forward({ config, computeDtype: options.precision, ...dropout }, value, shard);
      return answerLogits(last.output, head);
    }),
  );
  const session = new Session(engine.binding, graph, memoryRemedy);
  weights.load(session, checkpoint.tensors);
  const run = (batch: WindowBatch) => {
    const { shardCount, ...fed } = feedBatch(inputs, batch, config);
    const used = logits.slice(0, shardCount);
    const results = session.run([...used.map(({ start }) => start), ...used.map(({ end }) => end)], fed);
    return { start: results.slice(0, shardCount), end: results.slice(shardCount) };
  };
  return {
    compilesShapes: !graph.options.fusedKernels,
    predict(batch) {
      checkBatch(batch, config);
      const results = slicesOf(batch).map(run);
      const startRows = results.flatMap(({ start }) => start);
      const endRows = results.flatMap(({ end }) => end);
      return { startLogits: join(startRows, batch), endLogits: join(endRows, batch) };
    },
    dispose: () => session.dispose(),
  };
}

/** Tokens, with padding, that go through the network at once: more bring no speed, and cost memory. */
const sliceTokens = 2048;
const memoryRemedy = `Free some memory, or set batchTokens in predict.json lower than ${sliceTokens}`;

/** A batch in slices of an even number of windows, so that both shards of a slice have one shape. */
function slicesOf(batch: WindowBatch): WindowBatch[] {
  const { windowCount, tokenCount: L } = batch;
  const size = Math.max(2, 2 * Math.floor(sliceTokens / L / 2));
  return Array.from({ length: Math.ceil(windowCount / size) }, (_, slice) => {
    const [first, end] = [slice * size, Math.min(windowCount, (slice + 1) * size)];
    const rows = (values: Int32Array) => values.subarray(first * L, end * L);
    return {
      windowCount: end - first,
      tokenCount: L,
      inputIds: rows(batch.inputIds),
      tokenTypeIds: rows(batch.tokenTypeIds),
      attentionMask: rows(batch.attentionMask),
    };
  });
}

/** Rows [B, L as the device has it] → [B, L as the batch has it]. */
function join(rows: readonly Fetched[], { windowCount, tokenCount }: WindowBatch): Float32Array {
  const joined = new Float32Array(windowCount * tokenCount);
  let row = 0;
  for (const { shape, data } of rows) {
    const [rowCount, width] = shape as [number, number];
    for (let i = 0; i < rowCount; i += 1, row += 1) {
      joined.set(data.subarray(i * width, i * width + tokenCount), row * tokenCount);
    }
  }
  return joined;
}
