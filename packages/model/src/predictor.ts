import { Graph, Session, type Engine, type Fetched } from "@bertqa/engine";
import { answerLogits } from "./blocks/answer-head.ts";
import { batchPlaceholders, feedBatch, shardCountFor, shardName } from "./feeds.ts";
import { forward } from "./network.ts";
import { listParameters } from "./parameters.ts";
import { StoredTensors } from "./stored-weights.ts";
import type { BertCheckpoint, Predictor, PredictorOptions, WindowBatch } from "./types.ts";

/**
 * The forward pass, without dropout.
 *
 * @throws BertqaError if TensorFlow cannot load the graph
 */
export function createPredictor(
  engine: Pick<Engine, "binding" | "device">,
  checkpoint: BertCheckpoint,
  options: PredictorOptions,
): Predictor {
  const { config } = checkpoint;
  const graph = new Graph({ compileClusters: true });
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
  const session = new Session(engine.binding, graph);
  weights.load(session, checkpoint.tensors);
  return {
    predict(batch) {
      const { shardCount, ...fed } = feedBatch(inputs, batch, config);
      const used = logits.slice(0, shardCount);
      const results = session.run([...used.map(({ start }) => start), ...used.map(({ end }) => end)], fed);
      return {
        startLogits: join(results.slice(0, shardCount), batch),
        endLogits: join(results.slice(shardCount), batch),
      };
    },
    dispose: () => session.dispose(),
  };
}

/** Shards of [B, L as the device has it] → [B, L as the batch has it]. */
function join(shards: readonly Fetched[], { windowCount, tokenCount }: WindowBatch): Float32Array {
  const joined = new Float32Array(windowCount * tokenCount);
  let row = 0;
  for (const { shape, data } of shards) {
    const [rowCount, width] = shape as [number, number];
    for (let i = 0; i < rowCount; i += 1, row += 1) {
      joined.set(data.subarray(i * width, i * width + tokenCount), row * tokenCount);
    }
  }
  return joined;
}
