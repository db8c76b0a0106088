import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "@bertqa/core";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bertqa-safetensors-"));
  file = join(folder, "model.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

/** A file of 8 bytes for the header's length, the header, and the data. */
async function write(header: string, data: Buffer): Promise<void> {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeFile(file, Buffer.concat([length, Buffer.from(header), data]));
}

/** Whole bytes 0, 1, 2, … as one-byte tensors, so that offsets are counts. */
const byteTensor = (from: number, to: number) => ({ dtype: "U8", shape: [to - from], data_offsets: [from, to] });

test("what is written is read again, and equal tensors make equal bytes in any order", async () => {
  const a = { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, -0) };
  const b = { shape: [], data: Float32Array.of(7) };
  const other = join(folder, "other");
  await writeSafetensors(file, new Map([["a", a], ["b", b]]), { format: "pt" }); // prettier-ignore
  await writeSafetensors(other, new Map([["b", b], ["a", a]]), { format: "pt" }); // prettier-ignore
  expect(await readFile(file)).toEqual(await readFile(other));
  expect([...(await readSafetensors(file, "test"))]).toEqual([["a", a], ["b", b]]); // prettier-ignore
});

test("float16 and bfloat16 become float32; whole numbers are left out; the header's order does not count", async () => {
  // float16: 0x3c00 = 1, 0xc500 = −5, 0x0001 = 2⁻²⁴; bfloat16: 0x3fc0 = 1.5
  const header = {
    ids: { dtype: "I64", shape: [1], data_offsets: [8, 16] },
    brain: { dtype: "BF16", shape: [1], data_offsets: [6, 8] },
    half: { dtype: "F16", shape: [3], data_offsets: [0, 6] },
  };
  const data = Buffer.alloc(16);
  [0x3c00, 0xc500, 0x0001, 0x3fc0].forEach((half, index) => data.writeUInt16LE(half, 2 * index));
  await write(JSON.stringify(header), data);
  const tensors = await readSafetensors(file, "test");
  expect([...tensors].map(([name, { data: values }]) => [name, [...values]])).toEqual([
    ["half", [1, -5, 2 ** -24]],
    ["brain", [1.5]],
  ]);
});

test("a file that is cut short, too long or not there is refused with both sizes", async () => {
  // 8 + the header of 74 characters + 8 bytes of data
  await writeSafetensors(file, new Map([["a", { shape: [2], data: new Float32Array(2) }]]));
  const { length } = await readFile(file);
  await truncate(file, length - 4);
  await expect(readSafetensors(file, "train")).rejects.toThrow(
    `train: the safetensors file is cut short: it has ${length - 4} bytes, its header describes ${length}`,
  );
  await truncate(file, length + 1);
  await expect(readSafetensors(file, "train")).rejects.toThrow("is too long");
  await truncate(file, 20);
  await expect(readSafetensors(file, "train")).rejects.toThrow("cut short: its header takes");
  await expect(readSafetensors(join(folder, "none"), "train")).rejects.toThrow("the weights cannot be opened");
});

test.each([
  ["a value that is no entry", '{"a": 1.2}', "a: Invalid input: expected object"],
  ["space before the header", ' {"a": {}}', 'it begins with " ", expected "{"'],
  ["a size that is not the shape's", { a: { ...byteTensor(0, 3), shape: [2] } }, "a: U8 [2] takes 2 bytes, got 3"],
  ["a hole between tensors", { a: byteTensor(0, 1), b: byteTensor(2, 3) }, "b: got data from byte 2, expected 1"],
  ["a hole at the start", { a: byteTensor(1, 3) }, "a: got data from byte 1, expected 0"],
  ["tensors that overlap", { a: byteTensor(0, 2), b: byteTensor(1, 3) }, "b: got data from byte 1, expected 2"],
  [
    "a name that is there twice",
    `{"a":${JSON.stringify(byteTensor(0, 3))},"a":${JSON.stringify({ ...byteTensor(0, 3), dtype: "I8" })}}`,
    "2 tensors under 1 names",
  ],
])("a header with %s is refused", async (_, header, problem) => {
  await write(typeof header === "string" ? header : JSON.stringify(header), Buffer.alloc(3));
  await expect(readSafetensors(file, "train")).rejects.toThrow(
    `train: the safetensors header is not valid: ${problem}`,
  );
});
