/**
 * Time of one training step, by part of the API: `npm run bench:step -- ENCODER_FOLDER [B] [L] [precision] [steps] [recompute]`.
 * Compare only numbers of one machine at one time; CPU seconds a step say more than wall time where others share it.
 */
import { readCheckpoint, createTrainer, type Precision } from "@bertqa/model";
import { loadEngine } from "@bertqa/engine";

const print = (line: string) => process.stdout.write(`${line}\n`);
const [folder = "", B = "16", L = "178", precision = "bfloat16", steps = "10", recompute = ""] = process.argv.slice(2);

async function main(): Promise<void> {
  const engine = await loadEngine();
  const checkpoint = await readCheckpoint(folder, { seed: 1, stage: "bench" });
  const trainer = createTrainer(engine, checkpoint, {
    precision: precision as Precision,
    seed: 1,
    weightDecay: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    maxGradientNorm: 1,
    hiddenDropout: 0.1,
    attentionDropout: 0.1,
    recomputeLayers: recompute === "recompute",
  });
  const batch = randomBatch(Number(B), Number(L));
  const timeStep = (step: number) => {
    const started = performance.now();
    trainer.accumulate(batch, { step, microStep: 0, weight: 1 });
    const accumulated = performance.now();
    trainer.applyGradients(1e-5);
    return { accumulate: accumulated - started, apply: performance.now() - accumulated };
  };
  const first = timeStep(0);
  print(`first step ${first.accumulate.toFixed(0)} + ${first.apply.toFixed(0)} ms`);
  const cpuBefore = process.cpuUsage();
  const times = Array.from({ length: Number(steps) }, (_, step) => timeStep(step + 1));
  const cpu = process.cpuUsage(cpuBefore);
  const sorted = (key: "accumulate" | "apply") => times.map((time) => time[key]).sort((a, b) => a - b);
  for (const key of ["accumulate", "apply"] as const) {
    const values = sorted(key);
    print(`${key} ms: least ${values[0]?.toFixed(1)}, median ${values[values.length >> 1]?.toFixed(1)}`);
  }
  const cpuSeconds = (cpu.user + cpu.system) / 1e6 / Number(steps);
  print(
    `CPU seconds a step ${cpuSeconds.toFixed(3)} · peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
  );
  print(`loss ${trainer.takeMeanLoss()}`);
  trainer.dispose();
}

function randomBatch(windowCount: number, tokenCount: number) {
  const size = windowCount * tokenCount;
  return {
    windowCount,
    tokenCount,
    inputIds: Int32Array.from({ length: size }, (_, i) => 1000 + ((i * 7919) % 29000)),
    tokenTypeIds: new Int32Array(size),
    attentionMask: new Int32Array(size).fill(1),
    startPositions: new Int32Array(windowCount).fill(1),
    endPositions: new Int32Array(windowCount).fill(2),
  };
}

await main();
