import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "@bertqa/core";
import { readCheckpoint, writeCheckpoint, type CheckpointReport } from "@bertqa/model";
import { fixtureFolder } from "./support.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bertqa-model-"));
});
afterEach(() => rm(folder, { recursive: true }));

const options = { seed: 1, stage: "train" };

async function changeConfig(change: Record<string, unknown>): Promise<void> {
  const file = join(folder, "config.json");
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), ...change }));
}

describe("a checkpoint", () => {
  test("that is written is read again, with its config and Hugging Face's names", async () => {
    const checkpoint = await readCheckpoint(fixtureFolder, options);
    await writeCheckpoint(folder, checkpoint);
    const again = await readCheckpoint(folder, options);
    expect(again).toEqual(checkpoint);
    const file = join(folder, "model.safetensors");
    const original = await readSafetensors(join(fixtureFolder, "model.safetensors"), "test");
    expect(await readSafetensors(file, "test")).toEqual(original);
    // transformers refuses a file without it.
    expect((await readFile(file)).toString("latin1")).toContain('"__metadata__":{"format":"pt"}');
  });

  test("of a classifier says nothing of its labels any more: Python would size the new head by them", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    await changeConfig({ id2label: { 0: "LABEL_0" }, label2id: { LABEL_0: 0 }, _num_labels: 1, problem_type: "x" });
    await writeCheckpoint(folder, await readCheckpoint(folder, options));
    const written = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as object;
    const { architectures } = written as { architectures: unknown };
    expect(architectures).toEqual(["BertForQuestionAnswering"]);
    expect(Object.keys(written).filter((key) => /label|problem/.test(key))).toEqual([]);
  });

  test("whose config.json is of Google's first BERTs has BertConfig's values for what it leaves out", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    const whole = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    const { layer_norm_eps: _eps, pad_token_id: _pad, hidden_act: _act, ...old } = whole;
    await writeFile(join(folder, "config.json"), JSON.stringify(old));
    expect((await readCheckpoint(folder, options)).config).toMatchObject({
      ...{ layerNormEpsilon: 1e-12, paddingId: 0, activation: "gelu" },
    });
    await changeConfig({ pad_token_id: null });
    expect((await readCheckpoint(folder, options)).config.paddingId).toBeUndefined();
  });

  test("of a bare encoder, with or without the bert prefix, gets a head from the seed and leaves the pooler out", async () => {
    const tensors = await readSafetensors(join(fixtureFolder, "model.safetensors"), "test");
    await cp(join(fixtureFolder, "config.json"), join(folder, "config.json"));
    const bare = new Map(
      [...tensors].filter(([name]) => name.startsWith("bert.")).map(([name, t]) => [name.slice(5), t]),
    );
    bare.set("pooler.dense.bias", { shape: [12], data: new Float32Array(12) });
    await writeSafetensors(join(folder, "model.safetensors"), bare);
    const reports: CheckpointReport[] = [];
    const read = (seed: number) =>
      readCheckpoint(folder, { ...options, seed, onReport: (report) => reports.push(report) });
    const { tensors: found, config } = await read(1);
    expect(reports).toEqual([
      { ignored: ["bert.pooler.dense.bias"], initialised: ["qa_outputs.weight", "qa_outputs.bias"] },
    ]);
    const head = found.get("qa_outputs.weight")!.data;
    const deviation = Math.sqrt(head.reduce((sum, x) => sum + x * x, 0) / head.length);
    expect(deviation / config.initializerRange).toBeGreaterThan(0.5);
    expect(deviation / config.initializerRange).toBeLessThan(1.6);
    expect((await read(1)).tensors.get("qa_outputs.weight")!.data).toEqual(head);
    expect((await read(2)).tensors.get("qa_outputs.weight")!.data).not.toEqual(head);
  });

  test("that does not fit its config names every missing, unexpected and misshapen tensor at once", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    const tensors = await readSafetensors(join(folder, "model.safetensors"), "test");
    tensors.delete("bert.encoder.layer.1.output.dense.bias");
    tensors.set("bert.encoder.layer.2.output.dense.bias", { shape: [12], data: new Float32Array(12) });
    tensors.set("qa_outputs.bias", { shape: [3], data: new Float32Array(3) });
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    await expect(readCheckpoint(folder, options)).rejects.toThrow(
      "train: the weights do not fit config.json: missing bert.encoder.layer.1.output.dense.bias [12]; " +
        "qa_outputs.bias: got [3], expected [2]; unexpected bert.encoder.layer.2.output.dense.bias [12]",
    );
  });

  test("of another kind of model is refused, each field named", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    await changeConfig({ model_type: "roberta", hidden_act: "relu", hidden_size: undefined });
    await expect(readCheckpoint(folder, options)).rejects.toThrow(
      /model_type: got "roberta".*hidden_act: got "relu".*hidden_size: got nothing/,
    );
  });

  test("whose heads do not divide its width is refused", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    await changeConfig({ num_attention_heads: 5 });
    await expect(readCheckpoint(folder, options)).rejects.toThrow("hidden_size 12 is not a multiple");
  });

  test("whose padding is no token of its vocabulary is refused, as by PyTorch", async () => {
    await cp(fixtureFolder, folder, { recursive: true });
    await changeConfig({ pad_token_id: 37 });
    await expect(readCheckpoint(folder, options)).rejects.toThrow("pad_token_id 37 is no token: vocab_size is 37");
  });
});
