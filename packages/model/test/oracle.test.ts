import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadEngine, Session, type Engine } from "@bertqa/engine";
import { readCheckpoint } from "../src/checkpoint.ts";
import { feedBatch, feedLabels } from "../src/feeds.ts";
import { createPredictor } from "../src/predictor.ts";
import { buildTrainingProgram, createTrainer } from "../src/trainer.ts";
import type { BertCheckpoint, Precision, TrainerOptions } from "../src/types.ts";
import { fixtureFolder, gap, goldenFolder, hasGolden, readOracle, type Oracle } from "./support.ts";

/**
 * Largest gap allowed: logits and hidden states absolute, gradients by each tensor's largest, weights absolute. A gradient
 * that is small beside bfloat16's rounding may have another sign, and Adam moves by the rate either way: 0.034 at one weight
 * on a CPU without bfloat16, where products are rounded in another order.
 */
const tolerances = {
  float32: { hidden: 1e-5, gradient: 1e-4, weight: 1e-5 },
  bfloat16: { hidden: 0.1, gradient: 0.15, weight: 0.04 },
};
const folders = [
  { name: "the fixture", folder: fixtureFolder, exists: true },
  { name: "the golden files", folder: goldenFolder, exists: hasGolden },
];
const modes = [
  { precision: "float32", blocks: "fused kernels", recomputeLayers: false, shardCount: 2 },
  { precision: "float32", blocks: "fused kernels", recomputeLayers: true, shardCount: 1 },
  { precision: "float32", blocks: "clusters", recomputeLayers: false, shardCount: 1 },
  { precision: "float32", blocks: "clusters", recomputeLayers: true, shardCount: 2 },
  { precision: "float32", blocks: "single ops", recomputeLayers: false, shardCount: 2 },
  { precision: "bfloat16", blocks: "clusters", recomputeLayers: false, shardCount: 2 },
] as const;

describe.each(folders)("$name by PyTorch", ({ folder, exists }) => {
  let engine: Engine;
  let oracle: Oracle;
  let checkpoint: BertCheckpoint;
  beforeAll(async () => {
    if (!exists) return;
    engine = await loadEngine();
    oracle = await readOracle(folder);
    checkpoint = await readCheckpoint(folder, { seed: 1, stage: "test" });
  });

  const title = "graph: $precision, $blocks, recompute $recomputeLayers, shards $shardCount";
  describe.skipIf(!exists).each(modes)(title, (mode) => {
    const tolerance = tolerances[mode.precision];
    let run: ReturnType<typeof runOnce>;
    beforeAll(() => {
      run = runOnce(engine, checkpoint, oracle, mode);
    });
    afterAll(() => run.session.dispose());

    test("hidden states behind the embedding and each layer are equal at every given token", () => {
      const { batch, expected } = oracle;
      run.hiddens.forEach((data, layer) => {
        const width = checkpoint.config.hiddenSize;
        const rows = Array.from({ length: batch.windowCount }, (_, row) =>
          data.subarray(row * run.L * width, (row * run.L + batch.tokenCount) * width),
        );
        const given = Float32Array.from(rows.flatMap((row) => [...row]));
        const { largest } = gap(given, expected.get(`hidden/${layer}`)!.data);
        expect(largest, `layer ${layer}`).toBeLessThan(tolerance.hidden);
      });
    });

    test("the gradient of every tensor is equal before clipping, and so is their norm", () => {
      const { expected } = oracle;
      const norm = expected.get("grad_norm/0")!.data[0]!;
      expect(Math.abs(run.norm / norm - 1)).toBeLessThan(tolerance.gradient);
      for (const [name, { data }] of run.gradients) {
        const { largest, relative, ...where } = gap(data, expected.get(`grad/${name}`)!.data);
        const share = isZero(oracle, name) ? largest / norm : relative;
        expect(share, `${name} ${JSON.stringify(where)}`).toBeLessThan(tolerance.gradient);
      }
    });
  });

  test.skipIf(!exists).each(["float32", "bfloat16"] as const)("predictor: logits in %s are equal", (precision) => {
    const { batch, expected } = oracle;
    const predictor = createPredictor(engine, checkpoint, { precision });
    const { startLogits, endLogits } = predictor.predict(batch);
    predictor.dispose();
    const tolerance = tolerances[precision].hidden;
    expect(gap(startLogits, expected.get("logits/start")!.data).largest).toBeLessThan(tolerance);
    expect(gap(endLogits, expected.get("logits/end")!.data).largest).toBeLessThan(tolerance);
  });

  test.skipIf(!exists).each([
    { precision: "float32", recomputeLayers: false },
    { precision: "float32", recomputeLayers: true },
    { precision: "bfloat16", recomputeLayers: false },
  ] as const)(
    "trainer: weights after three AdamW steps in $precision, recompute $recomputeLayers, are equal, and so is the mean loss",
    (mode) => {
      const tolerance = tolerances[mode.precision];
      const { batch, expected, learningRates } = oracle;
      const trainer = createTrainer(engine, checkpoint, optionsFor(oracle, mode));
      learningRates.forEach((rate, step) => {
        trainer.accumulate(batch, { step, microStep: 0, weight: 1 });
        trainer.applyGradients(rate);
      });
      const losses = learningRates.map((_, step) => expected.get(`loss/${step}`)!.data[0]!);
      const mean = losses.reduce((sum, loss) => sum + loss) / losses.length;
      expect(Math.abs(trainer.takeMeanLoss() - mean)).toBeLessThan(tolerance.hidden);
      const { tensors } = trainer.exportCheckpoint();
      trainer.dispose();
      for (const [name, { data }] of tensors) {
        // Adam divides a zero gradient's rounding by itself: its direction is noise, in PyTorch too.
        if (isZero(oracle, name)) continue;
        const { largest, ...where } = gap(data, expected.get(`after3/${name}`)!.data);
        expect(largest, `${name} ${JSON.stringify(where)}`).toBeLessThan(tolerance.weight);
      }
    },
  );
});

interface TrainingMode {
  readonly precision: Precision;
  readonly recomputeLayers: boolean;
}

interface GraphMode extends TrainingMode {
  readonly blocks: "fused kernels" | "clusters" | "single ops";
  readonly shardCount: number;
}

/** A softmax does not change when all its inputs move, so some gradients are zero but for rounding. */
function isZero({ expected }: Oracle, name: string): boolean {
  const largest = Math.max(...expected.get(`grad/${name}`)!.data.map(Math.abs));
  return largest < 1e-6 * expected.get("grad_norm/0")!.data[0]!;
}

function optionsFor({ adamw }: Oracle, { precision, recomputeLayers }: TrainingMode): TrainerOptions {
  return { precision, recomputeLayers, seed: 1, hiddenDropout: 0, attentionDropout: 0, ...adamw };
}

function runOnce(engine: Engine, checkpoint: BertCheckpoint, oracle: Oracle, mode: GraphMode) {
  const program = buildTrainingProgram(checkpoint.config, optionsFor(oracle, mode), {
    compileClusters: mode.blocks === "clusters",
    fusedKernels: mode.blocks === "fused kernels",
    shardCount: mode.shardCount,
  });
  const { windowCount, tokenCount } = oracle.batch;
  const session = new Session(engine.binding, program.graph);
  program.weights.load(session, checkpoint.tensors);
  session.run([program.clearLoss]);
  const { feeds, lengths, shardCount } = feedBatch(program.inputs, oracle.batch, checkpoint.config);
  feedLabels(feeds, program.inputs, oracle.batch, checkpoint.config);
  feeds.set(program.windowWeight, { dtype: "float32", shape: [], data: Float32Array.of(1 / windowCount) });
  feeds.set(program.seed, { dtype: "int32", shape: [2], data: new Int32Array(2) });
  const { set } = program.gradientsOf[shardCount - 1]!;
  const [, ...hiddens] = session.run([set, ...program.hiddens.flat()], { feeds, lengths });
  const layerCount = checkpoint.config.layerCount + 1;
  // Layer by layer, the shards' windows one after the other.
  const joined = Array.from({ length: layerCount }, (_, layer) =>
    Float32Array.from(program.hiddens.flatMap((_, shard) => [...hiddens[shard * layerCount + layer]!.data])),
  );
  const [norm] = session.run([program.optimizer.gradientNorm]);
  return {
    session,
    hiddens: joined,
    L: program.inputs.paddedTokenCount(tokenCount),
    norm: norm.data[0]!,
    gradients: program.gradients.fetch(session),
  };
}
