import { Graph, Session, type Engine } from "@bertqa/engine";
import { answerLogits } from "./blocks/answer-head.ts";
import { batchPlaceholders, feedBatch, paddedTokenCount } from "./feeds.ts";
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
  engine: Pick<Engine, "binding">,
  checkpoint: BertCheckpoint,
  options: PredictorOptions,
): Predictor {
  const { config } = checkpoint;
  const graph = new Graph({ compileClusters: true });
  const weights = new StoredTensors(graph, "weight", listParameters(config));
  const inputs = batchPlaceholders(graph);
  const dropout = { hiddenDropout: 0, attentionDropout: 0, random: undefined, recomputeLayers: false };
  const value = (name: string) => weights.value(name);
  const { last } = forward({ config, low: options.precision, ...dropout }, value, inputs);
  const head = { weight: value("answer.weight"), bias: value("answer.bias") };
  const { start, end } = answerLogits(last.output, head);
  const session = new Session(engine.binding, graph);
  weights.load(session, checkpoint.tensors);
  return {
    predict(batch) {
      const [startLogits, endLogits] = session.run([start, end], feedBatch(inputs, batch, config));
      return { startLogits: narrow(startLogits!.data, batch), endLogits: narrow(endLogits!.data, batch) };
    },
    dispose: () => session.dispose(),
  };
}

/** [B, L as the device has it] → [B, L as the batch has it]. */
function narrow(values: Float32Array, { windowCount, tokenCount }: WindowBatch): Float32Array {
  const width = paddedTokenCount(tokenCount);
  if (width === tokenCount) return values;
  const narrowed = new Float32Array(windowCount * tokenCount);
  for (let row = 0; row < windowCount; row += 1) {
    narrowed.set(values.subarray(row * width, row * width + tokenCount), row * tokenCount);
  }
  return narrowed;
}
