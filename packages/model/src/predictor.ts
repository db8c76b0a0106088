import { Graph, Session, type Engine, type Fetched } from "@bertqa/engine";
import { answerLogits } from "./blocks/answer-head.ts";
import { batchPlaceholders, feedBatch } from "./feeds.ts";
import { forward } from "./network.ts";
import { listParameters } from "./parameters.ts";
import { partCountFor, partName } from "./parts.ts";
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
  const inputs = batchPlaceholders(graph, partCountFor(engine.device));
  const dropout = { hiddenDropout: 0, attentionDropout: 0, random: undefined, recomputeLayers: false };
  const value = (name: string) => weights.value(name);
  const head = { weight: value("answer.weight"), bias: value("answer.bias") };
  const logits = inputs.parts.map((part, index) =>
    graph.withOwnLengths(partName(index), () => {
      const { last } = forward({ config, low: options.precision, ...dropout }, value, part);
      return answerLogits(last.output, head);
    }),
  );
  const session = new Session(engine.binding, graph);
  weights.load(session, checkpoint.tensors);
  return {
    predict(batch) {
      const { partCount, ...fed } = feedBatch(inputs, batch, config);
      const used = logits.slice(0, partCount);
      const results = session.run([...used.map(({ start }) => start), ...used.map(({ end }) => end)], fed);
      return {
        startLogits: join(results.slice(0, partCount), batch),
        endLogits: join(results.slice(partCount), batch),
      };
    },
    dispose: () => session.dispose(),
  };
}

/** Parts of [B, L as the device has it] → [B, L as the batch has it]. */
function join(parts: readonly Fetched[], { windowCount, tokenCount }: WindowBatch): Float32Array {
  const joined = new Float32Array(windowCount * tokenCount);
  let row = 0;
  for (const { shape, data } of parts) {
    const [rowCount, width] = shape as [number, number];
    for (let part = 0; part < rowCount; part += 1, row += 1) {
      joined.set(data.subarray(part * width, part * width + tokenCount), row * tokenCount);
    }
  }
  return joined;
}
