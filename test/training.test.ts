import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { cp, mkdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  openModel,
  readSafetensors,
  silentReporter,
  trainingRowSchema,
  writeSafetensors,
  type Manifest,
} from "@bertqa/core";
import { loadEngine } from "@bertqa/engine";
import { fetchOptionsSchema, runFetch } from "@bertqa/fetch";
import { createTrainer, readCheckpoint, type LabelledBatch } from "@bertqa/model";
import { runTokenize, tokenizeOptionsSchema } from "@bertqa/tokenize";
import { runTrain, trainOptionsSchema } from "@bertqa/train";
import { temporaryFolder } from "./support/temporary-folder.ts";
import { tinyOptions, writeTinyPipeline } from "./support/tiny-pipeline.ts";

/** Training on a tiny pipeline: 20 windows in batches of 4 are 5 steps an epoch, 10 in all, with a checkpoint every 3. */
const shared = mkdtempSync(join(tmpdir(), "bertqa-training-"));
const pipelineFolder = join(shared, "tiny");
const prepared = join(shared, "prepared");
const options = trainOptionsSchema.parse({ ...tinyOptions.train, precision: "float32" });
let uninterrupted: Manifest;

/** A folder of artifacts in which fetch and tokenize have run. */
async function preparedArtifacts(): Promise<string> {
  const folder = join(await temporaryFolder(), "artifacts");
  await cp(prepared, folder, { recursive: true });
  return folder;
}

function train(artifactsFolder: string, changed: object = {}) {
  return runTrain({ ...options, ...changed }, { pipelineFolder, artifactsFolder }, silentReporter);
}

beforeAll(async () => {
  await mkdir(pipelineFolder);
  const trainJson = { ...tinyOptions.train, precision: "float32" };
  await writeTinyPipeline(pipelineFolder, { ...tinyOptions, train: trainJson });
  const folders = { pipelineFolder, artifactsFolder: prepared };
  await runFetch(fetchOptionsSchema.parse(tinyOptions.fetch), folders, silentReporter);
  await runTokenize(tokenizeOptionsSchema.parse(tinyOptions.tokenize), folders, silentReporter);
  const reference = join(shared, "reference");
  await cp(prepared, reference, { recursive: true });
  uninterrupted = (await train(reference)).manifest;
}, 120_000);

afterAll(() => rmSync(shared, { recursive: true, force: true }));

const slow = { timeout: 120_000 };

describe("a run of training", () => {
  test("leaves a Hugging Face folder, a log, TensorBoard events, and no checkpoints", slow, async () => {
    const reference = join(shared, "reference");
    const model = await openModel("test", join(reference, "train"));
    expect(readdirSync(model.modelFolder).toSorted()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
      "vocab.txt",
    ]);
    const rows = await model.trainingLog();
    expect(rows.map((row) => row.step)).toEqual([2, 4, 6, 8, 10]);
    expect(readdirSync(model.artifact.path("tensorboard"))[0]).toMatch(/tfevents/);
    expect(existsSync(join(reference, "train.progress"))).toBe(false);
    expect(uninterrupted.counts).toMatchObject({ steps: 10, windows: 20 });
  });

  test("makes the same bytes from the same inputs", slow, async () => {
    const again = await train(await preparedArtifacts());
    expect(again.manifest).toEqual(uninterrupted);
  });

  test("makes other weights from another seed", slow, async () => {
    const other = await train(await preparedArtifacts(), { seed: 43 });
    expect(other.manifest.contentSha256).not.toBe(uninterrupted.contentSha256);
  });
});

test("gradients accumulated over two halves of a batch are those of the whole", slow, async () => {
  // Windows of one length, as padding takes part in the loss; and a large epsilon, which keeps AdamW from blowing rounding up to
  // whole steps where the true gradient is zero, as that of the keys' biases.
  const engine = await loadEngine();
  const checkpoint = await readCheckpoint(join(pipelineFolder, "encoder"), { seed: 1, stage: "test" });
  const adamW = { weightDecay: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 0.01, maxGradientNorm: 1 };
  const noDropout = { hiddenDropout: 0, attentionDropout: 0 };
  const whole: LabelledBatch = {
    windowCount: 4,
    tokenCount: 6,
    inputIds: Int32Array.from({ length: 24 }, (_, i) => (i * 7) % 90),
    tokenTypeIds: Int32Array.from({ length: 24 }, (_, i) => Number(i % 6 > 2)),
    attentionMask: new Int32Array(24).fill(1),
    startPositions: Int32Array.of(0, 1, 2, 3),
    endPositions: Int32Array.of(5, 5, 4, 5),
  };
  const weightsAfter = (parts: readonly LabelledBatch[]) => {
    const trainer = createTrainer(engine, checkpoint, { precision: "float32", seed: 1, ...adamW, ...noDropout });
    for (let step = 0; step < 3; step++) {
      parts.forEach((part, microStep) => trainer.accumulate(part, { step, microStep, weight: part.windowCount / 4 }));
      trainer.applyGradients(0.01);
    }
    const { tensors } = trainer.exportCheckpoint();
    trainer.dispose();
    return tensors;
  };
  const part = (first: number, count: number): LabelledBatch => ({
    ...whole,
    windowCount: count,
    inputIds: whole.inputIds.slice(first * 6, (first + count) * 6),
    tokenTypeIds: whole.tokenTypeIds.slice(first * 6, (first + count) * 6),
    attentionMask: whole.attentionMask.slice(first * 6, (first + count) * 6),
    startPositions: whole.startPositions.slice(first, first + count),
    endPositions: whole.endPositions.slice(first, first + count),
  });
  const [together, apart] = [weightsAfter([whole]), weightsAfter([part(0, 1), part(1, 3)])];
  const gaps = [...together].map(([name, { data }]) => {
    const other = apart.get(name)?.data as Float32Array;
    return Math.max(...data.map((value, i) => Math.abs(value - (other[i] as number))));
  });
  expect(Math.max(...gaps)).toBeLessThan(1e-5);
});

describe("a run that was ended in the middle goes on from its last checkpoint", () => {
  /** Ends a run after its checkpoint of step 3. The tiny run may be over before the signal arrives: then it starts anew. */
  async function endAfterFirstCheckpoint(artifacts: string, signal: "SIGKILL" | "SIGINT") {
    for (let attempt = 0; attempt < 20; attempt++) {
      const ended = await startAndEnd(artifacts, signal);
      // Not by the exit code: the signal may arrive between the artifact and the exit.
      if (!existsSync(join(artifacts, "train"))) return ended;
      for (const left of ["train", "train.progress"]) await rm(join(artifacts, left), { recursive: true, force: true });
    }
    throw new Error("20 runs were over before the signal arrived");
  }

  /** Starts training in a process of its own and sends it a signal once the checkpoint after step 3 is there. */
  async function startAndEnd(artifacts: string, signal: "SIGKILL" | "SIGINT") {
    const progress = join(artifacts, "train.progress");
    await mkdir(progress, { recursive: true });
    const bin = join(import.meta.dirname, "..", "packages", "train", "bin", "bertqa-train.mjs");
    const child = spawn(process.execPath, [bin, pipelineFolder, "--artifacts", artifacts], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const watcher = watch(artifacts, { recursive: true }, () => {
      if (child.killed || !existsSync(join(progress, "step-00000003"))) return;
      child.kill(signal);
      // Under Nx, Ctrl-C arrives twice: from the terminal, and from Nx.
      if (signal === "SIGINT") child.kill(signal);
    });
    const [code, endedBy] = (await once(child, "exit")) as [number | null, string | null];
    watcher.close();
    return { code, endedBy, stderr };
  }

  test(
    "SIGKILL: no artifact is left, and the second start makes the very weights of an uninterrupted run",
    slow,
    async () => {
      const artifacts = await preparedArtifacts();
      expect((await endAfterFirstCheckpoint(artifacts, "SIGKILL")).endedBy).toBe("SIGKILL");
      expect(existsSync(join(artifacts, "train"))).toBe(false);

      const lines: string[] = [];
      const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
      const resumed = await runTrain(options, { pipelineFolder, artifactsFolder: artifacts }, reporter);
      expect(lines.join("\n")).toMatch(/goes on from the checkpoint after step [369]/);
      expect(resumed.manifest).toEqual(uninterrupted);
      const rows = (await readFile(resumed.path("log.jsonl"), "utf8")).trim().split("\n");
      expect(rows.map((row) => trainingRowSchema.parse(JSON.parse(row)).step)).toEqual([2, 4, 6, 8, 10]);
    },
  );

  test("Ctrl-C: the state is saved, one line says how to go on, exit code 1", slow, async () => {
    const artifacts = await preparedArtifacts();
    const { code, stderr } = await endAfterFirstCheckpoint(artifacts, "SIGINT");
    expect(code).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      /^train: stopped on request after step \d+ of 10; its state is saved\. Run the same command again to go on from there\.$/,
    );
    expect((await train(artifacts)).manifest).toEqual(uninterrupted);
  });

  test("but not with other options: those start from the beginning", slow, async () => {
    const artifacts = await preparedArtifacts();
    await endAfterFirstCheckpoint(artifacts, "SIGKILL");
    const changed = { learningRate: 5e-4 };
    const fresh = await train(await preparedArtifacts(), changed);
    expect((await train(artifacts, changed)).manifest).toEqual(fresh.manifest);
  });

  test("and a checkpoint that was cut short is refused by name", slow, async () => {
    const artifacts = await preparedArtifacts();
    await endAfterFirstCheckpoint(artifacts, "SIGKILL");
    const progress = join(artifacts, "train.progress");
    const newest = readdirSync(progress)
      .filter((name) => /^step-\d{8}$/.test(name))
      .toSorted()
      .at(-1) as string;
    await truncate(join(progress, newest, "state.safetensors"), 5000);
    await expect(train(artifacts)).rejects.toThrow(
      new RegExp(`^train: the checkpoint .*${newest}/state.safetensors cannot be read`),
    );
  });
});

describe("bad input leaves no artifact", () => {
  test("an encoder whose tensors do not fit: all of them are named, with both shapes", slow, async () => {
    const artifacts = await preparedArtifacts();
    const broken = join(await temporaryFolder(), "pipeline");
    await cp(pipelineFolder, broken, { recursive: true });
    const file = join(broken, "encoder", "model.safetensors");
    const tensors = await readSafetensors(file, "test");
    tensors.delete("embeddings.LayerNorm.bias");
    tensors.set("encoder.layer.1.output.dense.weight", { shape: [20, 12], data: new Float32Array(240) });
    tensors.set("encoder.layer.2.output.dense.bias", { shape: [12], data: new Float32Array(12) });
    await writeSafetensors(file, tensors, { format: "pt" });
    await rm(artifacts, { recursive: true });
    const folders = { pipelineFolder: broken, artifactsFolder: artifacts };
    await runFetch(fetchOptionsSchema.parse(tinyOptions.fetch), folders, silentReporter);
    await runTokenize(tokenizeOptionsSchema.parse(tinyOptions.tokenize), folders, silentReporter);

    const failing = train(artifacts);
    await expect(failing).rejects.toThrow("missing bert.embeddings.LayerNorm.bias [12]");
    await expect(failing).rejects.toThrow("bert.encoder.layer.1.output.dense.weight: got [20, 12], expected [12, 20]");
    await expect(failing).rejects.toThrow("unexpected bert.encoder.layer.2.output.dense.bias [12]");
    expect(existsSync(join(artifacts, "train"))).toBe(false);
  });

  test("a shard that was cut short", slow, async () => {
    const artifacts = await preparedArtifacts();
    await truncate(join(artifacts, "tokenize", "train-00000.arrow"), 900);
    await expect(train(artifacts)).rejects.toThrow(
      /train-00000\.arrow has 900 bytes, its manifest says .*tokenize stage/,
    );
    expect(existsSync(join(artifacts, "train"))).toBe(false);
  });

  test("a learning rate that makes the loss infinite", slow, async () => {
    const artifacts = await preparedArtifacts();
    const wild = { learningRate: 1, warmupShare: 0, maxGradientNorm: 1e30, weightDecay: 1e30, logEverySteps: 1 };
    await expect(train(artifacts, wild)).rejects.toThrow(/^train: the loss is NaN at step \d+\. Lower learningRate/);
    expect(existsSync(join(artifacts, "train"))).toBe(false);
  });
});
