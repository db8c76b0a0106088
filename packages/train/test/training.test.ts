import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  openModel,
  readSafetensors,
  silentReporter,
  writeSafetensors,
  type Manifest,
  type Reporter,
} from "@bertqa/core";
import { loadEngine } from "@bertqa/engine";
import { fetchOptionsSchema, fetchStage } from "@bertqa/fetch";
import { runStage } from "@bertqa/runner";
import { createTrainer, readCheckpoint, type LabelledBatch } from "@bertqa/model";
import { tokenizeStage, tokenizeOptionsSchema } from "@bertqa/tokenize";
import { trainStage, trainOptionsSchema } from "@bertqa/train";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { tinyOptions, writeTinyPipeline } from "../../../test/support/tiny-pipeline.ts";
import { runIn } from "../../../test/support/run-stage.ts";

/**
 * Training on a tiny pipeline: 20 windows in batches of 4 are 5 steps an epoch, 300 in all, with a checkpoint every 50 and a row of
 * the log every 20, so that no checkpoint but those of step 100 and 200 falls on a row.
 */
const shared = mkdtempSync(join(tmpdir(), "bertqa-training-"));
const pipelineFolder = join(shared, "tiny");
const prepared = join(shared, "prepared");
const trainJson = {
  ...{ ...tinyOptions.train, epochs: 60, precision: "float32" },
  ...{ logEverySteps: 20, checkpointEverySteps: 50 },
} as const;
const options = trainOptionsSchema.parse(trainJson);
const loggedSteps = Array.from({ length: 15 }, (_, i) => 20 * (i + 1));
let uninterrupted: Manifest;

/** A folder of artifacts in which fetch and tokenize have run. */
async function preparedArtifacts(): Promise<string> {
  const folder = join(await temporaryFolder(), "artifacts");
  await cp(prepared, folder, { recursive: true });
  return folder;
}

function train(artifactsFolder: string, changed: object = {}, reporter?: Reporter) {
  return runIn(trainStage, { ...options, ...changed }, { pipelineFolder, artifactsFolder }, reporter);
}

beforeAll(async () => {
  await mkdir(pipelineFolder);
  await writeTinyPipeline(pipelineFolder, { ...tinyOptions, train: trainJson });
  const folders = { pipelineFolder, artifactsFolder: prepared };
  await runIn(fetchStage, fetchOptionsSchema.parse(tinyOptions.fetch), folders);
  await runIn(tokenizeStage, tokenizeOptionsSchema.parse(tinyOptions.tokenize), folders);
  const reference = join(shared, "reference");
  await cp(prepared, reference, { recursive: true });
  uninterrupted = (await train(reference)).manifest;
}, 120_000);

afterAll(() => rmSync(shared, { recursive: true, force: true }));

const slow = { timeout: 120_000 };

describe("a run of training", () => {
  test(
    "leaves a Hugging Face folder and a log; rates and TensorBoard events beside it; no checkpoints",
    slow,
    async () => {
      const reference = join(shared, "reference");
      const model = await openModel("test", join(reference, "train"));
      expect(readdirSync(await model.modelFolder()).toSorted()).toEqual([
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
      ]);
      const rows = await model.trainingLog();
      expect(rows.map((row) => row.step)).toEqual(loggedSteps);
      expect(readdirSync(join(reference, "train.log", "tensorboard"))[0]).toMatch(/tfevents/);
      expect(existsSync(join(reference, "train.progress"))).toBe(false);
      expect(uninterrupted.counts).toMatchObject({ steps: 300, windows: 20 });
    },
  );

  test("makes the same bytes from the same inputs", slow, async () => {
    const again = await train(await preparedArtifacts());
    expect(again.manifest).toEqual(uninterrupted);
  });

  test(
    "with R-Drop gives every window to the model twice, which adds nothing where nothing is dropped",
    slow,
    async () => {
      const lossesOf = async (changed: object) => {
        const folder = await preparedArtifacts();
        await train(folder, { hiddenDropout: 0, attentionDropout: 0, epochs: 8, microBatchWindows: 3, ...changed });
        const rows = await (await openModel("test", join(folder, "train"))).trainingLog();
        return rows.map(({ loss }) => loss);
      };
      const once = await lossesOf({});
      const twice = await lossesOf({ rDropWeight: 1 });
      expect(once).toHaveLength(2);
      twice.forEach((loss, i) => expect(loss).toBeCloseTo(once[i]!, 3));
    },
  );

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

describe("a run that was ended in the middle continues from its last checkpoint", () => {
  /** Starts training in a process of its own and sends it a signal once the checkpoint after step 50 of 300 is there. */
  async function endAfterFirstCheckpoint(signal: "SIGKILL" | "SIGINT" | "SIGHUP") {
    const workspace = await temporaryFolder();
    const folder = join(workspace, "pipelines", "tiny");
    await cp(pipelineFolder, folder, { recursive: true });
    await writeFile(join(workspace, "nx.json"), "{}");
    const artifacts = join(workspace, "artifacts", "tiny");
    await cp(prepared, artifacts, { recursive: true });
    const progress = join(artifacts, "train.progress");
    const bin = join(import.meta.dirname, "..", "..", "bertqa", "bin", "bertqa.mjs");
    const child = spawn(process.execPath, [bin, "stage", "train", folder], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    // Not recursive: Node's own recursion throws where a folder is renamed while it is read.
    const watchers = [watch(artifacts, look)];
    function look(): void {
      if (watchers.length === 1 && existsSync(progress)) watchers.push(watch(progress, look));
      if (child.killed || !existsSync(join(progress, "step-00000050"))) return;
      child.kill(signal);
      // Under Nx, Ctrl-C arrives twice: from the terminal, and from Nx.
      if (signal === "SIGINT") child.kill(signal);
    }
    const [code, endedBy] = (await once(child, "exit")) as [number | null, string | null];
    for (const watcher of watchers) watcher.close();
    return { artifacts, folder, progress, code, endedBy, stderr };
  }

  test(
    "SIGKILL: no artifact is left, and the second start makes the very bytes of an uninterrupted run",
    slow,
    async () => {
      const { artifacts, endedBy } = await endAfterFirstCheckpoint("SIGKILL");
      expect(endedBy).toBe("SIGKILL");
      expect(existsSync(join(artifacts, "train"))).toBe(false);

      const lines: string[] = [];
      const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
      const resumed = await train(artifacts, {}, reporter);
      expect(lines.join("\n")).toMatch(/continues from the checkpoint after step (50|100|150|200|250)/);
      expect(resumed.manifest).toEqual(uninterrupted);
      // One file of events: the steps that the killed run had drawn are not in it twice.
      expect(readdirSync(join(artifacts, "train.log", "tensorboard"))).toHaveLength(1);
      // The draft and the lock of the killed run are gone too.
      expect((await readdir(artifacts)).toSorted()).toEqual(["fetch", "tokenize", "train", "train.log"]);
    },
  );

  test.each([
    ["Ctrl-C", "SIGINT"],
    ["a terminal that is closed", "SIGHUP"],
  ] as const)("%s: the state is saved, one line says how to continue, exit code 1", slow, async (_, signal) => {
    const { artifacts, code, stderr } = await endAfterFirstCheckpoint(signal);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      /^train: stopped on request after step \d+ of 300; its state is saved\. Run the same command again to continue from there\.$/,
    );
    expect((await train(artifacts)).manifest).toEqual(uninterrupted);
  });

  test(
    "with another learning rate it starts anew; the old work is moved aside, and can be resumed on purpose",
    slow,
    async () => {
      const { artifacts } = await endAfterFirstCheckpoint("SIGKILL");
      const lines: string[] = [];
      const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
      const changed = { learningRate: 5e-4 };
      const fresh = await train(artifacts, changed, reporter);
      expect(fresh.manifest.options).toMatchObject(changed);
      const [, aside] = /it was moved to (\S+)/.exec(lines.join("\n")) as unknown as [string, string];
      expect(lines.join("\n")).toContain("options.learningRate 0.001 → 0.0005");
      expect(lines.join("\n")).toContain(`--resume ${aside}`);

      lines.length = 0;
      const resumed = await runStage(trainStage, pipelineFolder, {
        ...{ artifactsFolder: artifacts, options: { ...options, ...changed }, reporter, resume: aside },
      });
      expect(lines.join("\n")).toMatch(/continues from the checkpoint after step/);
      // Weights that no options alone explain say where they come from.
      expect(resumed.manifest.resolved).toMatchObject({ resumedFrom: "options.learningRate 0.001 → 0.0005" });
    },
  );

  test("work that is further on than the run goes is refused, and stays", slow, async () => {
    const { artifacts, progress } = await endAfterFirstCheckpoint("SIGKILL");
    const aside = join(artifacts, "train.progress.aside");
    const resume = async (maxSteps: number) => {
      await rename(progress, aside);
      const changed = { artifactsFolder: artifacts, options: { ...options, maxSteps }, resume: aside };
      return runStage(trainStage, pipelineFolder, { ...changed, reporter: silentReporter });
    };
    await expect(resume(20)).rejects.toThrow(
      /^train: the work in progress is \d+ steps on, and this run ends after 20\. Set more epochs or maxSteps, or delete .*train\.progress\.$/,
    );
    expect(existsSync(join(artifacts, "train"))).toBe(false);
    expect((await resume(290)).manifest.counts).toMatchObject({ steps: 290 });
  });

  test("what Nx hashes of code and variables for train decides whether work is taken up, too", slow, async () => {
    const artifacts = await preparedArtifacts();
    // A loss that is no number ends the run, and leaves the record of its work.
    await expect(train(artifacts, { learningRate: 1, maxGradientNorm: 1e30, weightDecay: 1e30 })).rejects.toThrow(
      "NaN",
    );
    const { identity } = JSON.parse(await readFile(join(artifacts, "train.progress", "run.json"), "utf8"));
    const nx = JSON.parse(await readFile(join(import.meta.dirname, "..", "..", "..", "nx.json"), "utf8"));
    const { inputs } = nx.targetDefaults.train as { inputs: { env?: string; projects?: string[] }[] };
    const code = Object.keys(identity as object).filter((key) => key.startsWith("code of "));
    expect(code.toSorted()).toEqual(inputs.flatMap(({ projects = [] }) => projects.map((name) => `code of ${name}`)));
    // The engine sets TensorFlow's thread counts itself.
    const resolved = { BERTQA_DEVICE: "device", BERTQA_THREADS: "threads", TF_NUM_INTEROP_THREADS: "threads" };
    const names: Readonly<Record<string, string>> = { ...resolved, TF_NUM_INTRAOP_THREADS: "threads" };
    const variables = inputs.flatMap(({ env }) => (env === undefined ? [] : [`engine.${names[env] ?? env}`]));
    expect(Object.keys(identity as object)).toEqual(expect.arrayContaining(variables));
  });

  test("how often it logs and saves is not its identity: the work is taken up", slow, async () => {
    const { artifacts } = await endAfterFirstCheckpoint("SIGKILL");
    const lines: string[] = [];
    const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
    const other = await train(artifacts, { logEverySteps: 30, checkpointEverySteps: 70 }, reporter);
    expect(lines.join("\n")).toMatch(/continues from the checkpoint after step/);
    const weights = (manifest: Manifest) => manifest.files.find(({ path }) => path === "model/model.safetensors");
    expect(weights(other.manifest)).toEqual(weights(uninterrupted));
  });

  test("and a checkpoint that was cut short is refused by name", slow, async () => {
    const { artifacts, progress } = await endAfterFirstCheckpoint("SIGKILL");
    const names = readdirSync(progress).filter((name) => /^step-\d{8}$/.test(name));
    const newest = names.toSorted().at(-1) as string;
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
    await runIn(fetchStage, fetchOptionsSchema.parse(tinyOptions.fetch), folders);
    await runIn(tokenizeStage, tokenizeOptionsSchema.parse(tinyOptions.tokenize), folders);

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

  const wild = { learningRate: 1, warmupShare: 0, maxGradientNorm: 1e30, weightDecay: 1e30, logEverySteps: 1 };

  test("a learning rate that makes the loss infinite", slow, async () => {
    const artifacts = await preparedArtifacts();
    await expect(train(artifacts, wild)).rejects.toThrow(
      /^train: the loss is NaN at step \d+ \(batch: windows \d+, \d+, \d+, \d+\); no checkpoint was saved yet\. Lower learningRate/,
    );
    expect(existsSync(join(artifacts, "train"))).toBe(false);
  });

  test(
    "and after a checkpoint, which is named; the next start goes on from there, and a lower rate trains anew",
    slow,
    async () => {
      const artifacts = await preparedArtifacts();
      const lines: string[] = [];
      const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
      const saving = { ...wild, checkpointEverySteps: 1 };
      const message = /at step 2 \(batch: windows .*\); the last good checkpoint is .*train\.progress\/step-00000001\./;
      await expect(train(artifacts, saving)).rejects.toThrow(message);
      await expect(train(artifacts, saving, reporter)).rejects.toThrow(message);
      expect(lines.join("\n")).toContain("continues from the checkpoint after step 1");
      expect(existsSync(join(artifacts, "train"))).toBe(false);
      expect((await train(artifacts, { maxSteps: 4 })).manifest.counts).toMatchObject({ steps: 4 });
    },
  );

  test(
    "weights that are no numbers after the last step, though its loss was one: they are neither saved nor written",
    slow,
    async () => {
      const artifacts = await preparedArtifacts();
      const last = { ...wild, weightDecay: 1e39, maxSteps: 1 };
      await expect(train(artifacts, last)).rejects.toThrow(
        /^train: the weights are not finite numbers after step 1: \d+ of \d+ in bert\..*; no checkpoint was saved yet\. Lower/,
      );
      expect(existsSync(join(artifacts, "train"))).toBe(false);
    },
  );

  test("an encoder with NaN or infinity in a tensor, which is named", slow, async () => {
    for (const value of [NaN, -Infinity]) {
      const folder = join(await temporaryFolder(), "encoder");
      await cp(join(pipelineFolder, "encoder"), folder, { recursive: true });
      const file = join(folder, "model.safetensors");
      const tensors = await readSafetensors(file, "test");
      tensors.get("encoder.layer.1.output.dense.bias")!.data[7] = value;
      await writeSafetensors(file, tensors, { format: "pt" });
      await expect(readCheckpoint(folder, { seed: 1, stage: "train" })).rejects.toThrow(
        /^train: weights are not finite numbers: 1 of 12 in bert\.encoder\.layer\.1\.output\.dense\.bias\. .*model\.safetensors\)$/,
      );
    }
  });
});
