// Runs one side of a benchmark, in a process of its own so that its peak memory is its own: `tsx bench/ours.ts train|predict work.json`.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { offsetsOfLengths } from "@bertqa/core";
import { loadEngine } from "@bertqa/engine";
import {
  collateLabelledWindows,
  createPredictor,
  createTrainer,
  paddedTokenCount,
  readCheckpoint,
  type BertCheckpoint,
  type LabelledBatch,
  type Precision,
} from "@bertqa/model";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { countWork, productFlops, type Work, type WorkWindow } from "./work.ts";
import { measurePeakFlops } from "./peak.ts";

const [task, workFile, precision] = process.argv.slice(2) as ["train" | "predict", string, Precision];
const work = JSON.parse(await readFile(workFile, "utf8")) as Work;
const engine = await loadEngine();
const checkpoint = work.randomWeights
  ? await randomCheckpoint(join(work.encoder, "config.json"))
  : await readCheckpoint(work.encoder, { seed: 42, stage: "bench" });
const run = task === "train" ? trainingStep(checkpoint) : prediction(checkpoint);
const batches = work.batches.map(collate);
const warmUpMs = warmUp();
const startedMs = performance.now();
const startedCpu = process.cpuUsage();
for (const batch of batches.slice(work.warmUpBatches)) run(batch);
const seconds = (performance.now() - startedMs) / 1000;
const cpu = process.cpuUsage(startedCpu);
const cpuSeconds = (cpu.user + cpu.system) / 1e6;
// Before the peak is measured: its matrices are not the model's.
const peakBytes = process.resourceUsage().maxRSS * 1024;
const flops = productFlops(work, checkpoint.config, task === "train" ? 3 : 1);
const peakFlops = measurePeakFlops(engine, precision);
process.stdout.write(
  `${JSON.stringify({ seconds, cpuSeconds, warmUpSeconds: warmUpMs / 1000, peakBytes, flopsPerSecond: flops / seconds, peakFlops, ...countWork(work) })}\n`,
);

/** Runs the warm-up batches, and one batch of each shape to come where shapes are compiled, once a run. @returns what that took, in ms */
function warmUp(): number {
  const startedMs = performance.now();
  const shapes = new Map(batches.map((batch) => [`${batch.windowCount} ${paddedTokenCount(batch.tokenCount)}`, batch]));
  const compiled = engine.fusedKernels && precision === "float32" ? [] : shapes.values();
  for (const batch of [...compiled, ...batches.slice(0, work.warmUpBatches)]) run(batch);
  return performance.now() - startedMs;
}

function trainingStep(weights: BertCheckpoint): (batch: LabelledBatch) => void {
  const { hiddenDropout, attentionDropout } = weights.config;
  const trainer = createTrainer(engine, weights, {
    ...{ precision, seed: 42, weightDecay: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, maxGradientNorm: 1 },
    ...{ hiddenDropout, attentionDropout },
  });
  let step = 0;
  return (batch) => {
    trainer.accumulate(batch, { step: step++, microStep: 0, weight: 1 });
    trainer.applyGradients(2e-5);
  };
}

function prediction(weights: BertCheckpoint): (batch: LabelledBatch) => void {
  const predictor = createPredictor(engine, weights, { precision });
  return (batch) => void predictor.predict(batch);
}

function collate(windows: readonly WorkWindow[]): LabelledBatch {
  const shard = {
    rowCount: windows.length,
    inputIds: {
      offsets: offsetsOfLengths(windows.map((window) => window.ids.length)),
      values: Int32Array.from(windows.flatMap((window) => window.ids)),
    },
    contextFirstToken: Int32Array.from(windows, (window) => window.contextFirstToken),
    plausibleStartPosition: new Int32Array(windows.length),
    plausibleEndPosition: new Int32Array(windows.length),
    startPosition: Int32Array.from(windows, (window) => window.start),
    endPosition: Int32Array.from(windows, (window) => window.end),
  };
  return collateLabelledWindows([shard], [...windows.keys()]);
}
