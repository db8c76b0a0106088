import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  readCheckpoint,
  readSafetensors,
  writeCheckpoint,
  writeSafetensors,
  type CheckpointReport,
} from "@bertqa/model";
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

describe("safetensors", () => {
  test("what is written is read again, and equal tensors make equal bytes in any order", async () => {
    const a = { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, -0) };
    const b = { shape: [], data: Float32Array.of(7) };
    const [first, second] = [join(folder, "1"), join(folder, "2")];
    await writeSafetensors(first, new Map([["a", a], ["b", b]]), { format: "pt" }); // prettier-ignore
    await writeSafetensors(second, new Map([["b", b], ["a", a]]), { format: "pt" }); // prettier-ignore
    expect(await readFile(first)).toEqual(await readFile(second));
    const { tensors, metadata } = await readSafetensors(first, "test");
    expect([...tensors]).toEqual([["a", a], ["b", b]]); // prettier-ignore
    expect(metadata).toEqual({ format: "pt" });
  });

  test("float16 and bfloat16 become float32; whole numbers are left out", async () => {
    // float16: 0x3c00 = 1, 0xc500 = −5, 0x0001 = 2⁻²⁴; bfloat16: 0x3fc0 = 1.5
    const header = {
      half: { dtype: "F16", shape: [3], data_offsets: [0, 6] },
      brain: { dtype: "BF16", shape: [1], data_offsets: [6, 8] },
      ids: { dtype: "I64", shape: [1], data_offsets: [8, 16] },
    };
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const data = Buffer.alloc(16);
    [0x3c00, 0xc500, 0x0001, 0x3fc0].forEach((half, index) => data.writeUInt16LE(half, 2 * index));
    const file = join(folder, "half");
    await writeFile(file, Buffer.concat([length, json, data]));
    const { tensors } = await readSafetensors(file, "test");
    expect([...tensors].map(([name, { data: values }]) => [name, [...values]])).toEqual([
      ["half", [1, -5, 2 ** -24]],
      ["brain", [1.5]],
    ]);
  });

  test("a file that is cut short or whose header lies is refused by name", async () => {
    const file = join(folder, "model.safetensors");
    await cp(join(fixtureFolder, "model.safetensors"), file);
    const { length } = await readFile(file);
    await truncate(file, length - 4);
    await expect(readSafetensors(file, "train")).rejects.toThrow(
      `train: the safetensors file is cut short: it has ${length - 4} bytes, its header describes ${length}`,
    );
    await truncate(file, 20);
    await expect(readSafetensors(file, "train")).rejects.toThrow("cut short: its header takes");
    await writeFile(file, Buffer.from('\x0a\0\0\0\0\0\0\0{"a": 1.2}'));
    await expect(readSafetensors(file, "train")).rejects.toThrow("the safetensors header is not valid");
    await expect(readSafetensors(join(folder, "none"), "train")).rejects.toThrow("the weights cannot be opened");
  });
});

describe("a checkpoint", () => {
  test("that is written is read again, with its config and Hugging Face's names", async () => {
    const checkpoint = await readCheckpoint(fixtureFolder, options);
    await writeCheckpoint(folder, checkpoint);
    const again = await readCheckpoint(folder, options);
    expect(again).toEqual(checkpoint);
    const { tensors, metadata } = await readSafetensors(join(folder, "model.safetensors"), "test");
    const original = await readSafetensors(join(fixtureFolder, "model.safetensors"), "test");
    expect(tensors).toEqual(original.tensors);
    expect(metadata).toEqual({ format: "pt" });
  });

  test("of a bare encoder, with or without the bert prefix, gets a head from the seed and leaves the pooler out", async () => {
    const { tensors } = await readSafetensors(join(fixtureFolder, "model.safetensors"), "test");
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
    const { tensors } = await readSafetensors(join(folder, "model.safetensors"), "test");
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
});
