import { SeededRandom, type BertConfig } from "@bertqa/core";
import { loadEngine, Session } from "@bertqa/engine";
import { expect, test } from "vitest";
import { feedBatch, feedLabels } from "../src/feeds.ts";
import { zeroTensors } from "../src/parameters.ts";
import { buildTrainingProgram } from "../src/trainer.ts";
import type { LabelledBatch, TrainerOptions } from "../src/types.ts";
import { gap } from "./support.ts";

const engine = await loadEngine();

// Heads of 20 numbers and 72 tokens: several blocks of rows, and no whole number of registers or tiles in any direction but L,
// which is a multiple of 8 so that clusters do not pad it.
const config: BertConfig = {
  ...{ vocabularySize: 51, hiddenSize: 60, layerCount: 2, headCount: 3, intermediateSize: 100, maxPositions: 80 },
  ...{ tokenTypeCount: 2, paddingId: 0, layerNormEpsilon: 1e-12, initializerRange: 0.02 },
  ...{ hiddenDropout: 0.1, attentionDropout: 0.2, activation: "gelu" },
};
const options: TrainerOptions = {
  ...{ precision: "float32", seed: 5, weightDecay: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, maxGradientNorm: 1 },
  ...{ hiddenDropout: 0.1, attentionDropout: 0.2 },
};

const random = new SeededRandom(7, "fused");
const tensors = zeroTensors(config);
for (const [name, { data }] of tensors) {
  const centre = name.endsWith("LayerNorm.weight") ? 1 : 0;
  for (let i = 0; i < data.length; i += 1) data[i] = centre + (random.integerBelow(2001) - 1000) / 4000;
}

/** 3 windows of 72, 60 and 41 tokens. */
function batchOfThree(): LabelledBatch {
  const tokenCount = 72;
  const real = [72, 60, 41].flatMap((count) => Array.from({ length: tokenCount }, (_, token) => token < count));
  return {
    windowCount: 3,
    tokenCount,
    inputIds: Int32Array.from(real, (isReal) => (isReal ? 1 + random.integerBelow(50) : 0)),
    tokenTypeIds: Int32Array.from(real, (isReal, place) => (isReal && place % tokenCount > 9 ? 1 : 0)),
    attentionMask: Int32Array.from(real, Number),
    startPositions: Int32Array.of(3, 0, 20),
    endPositions: Int32Array.of(9, 0, 24),
  };
}

function gradientsOf(fusedKernels: boolean, batch: LabelledBatch) {
  const program = buildTrainingProgram(config, options, { compileClusters: false, fusedKernels, shardCount: 2 });
  const session = new Session(engine.binding, program.graph);
  program.weights.load(session, tensors);
  session.run([program.clearLoss]);
  const { feeds, lengths } = feedBatch(program.inputs, batch, config);
  feedLabels(feeds, program.inputs, batch, config);
  feeds.set(program.windowWeight, { dtype: "float32", shape: [], data: Float32Array.of(1 / 3) });
  feeds.set(program.seed, { dtype: "int32", shape: [2], data: Int32Array.of(11, 12) });
  session.run([program.gradientsOf[1]!.set], { feeds, lengths });
  const result = { loss: session.run([program.lossSum])[0].data[0]!, gradients: program.gradients.fetch(session) };
  session.dispose();
  return result;
}

test.skipIf(!engine.fusedKernels)("fused kernels give the gradients of single ops, with the same dropout masks", () => {
  const batch = batchOfThree();
  const [fused, single] = [gradientsOf(true, batch), gradientsOf(false, batch)];
  expect(fused.loss).toBeCloseTo(single.loss, 5);
  const largestOfAll = Math.max(...[...single.gradients.values()].flatMap(({ data }) => [...data].map(Math.abs)));
  for (const [name, { data }] of single.gradients) {
    expect(gap(fused.gradients.get(name)!.data, data).largest / largestOfAll, name).toBeLessThan(1e-5);
  }
});
