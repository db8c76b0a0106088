import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { offsetsOfLengths, readColumns, writeColumns } from "../src/index.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";

const types = { id: "utf8", count: "int32", ids: "list:int32", flags: "list:uint8", logits: "list:float32" } as const;

// Three rows with lists of 2, 0 and 3: an empty row, and totals that are no multiple of Arrow's 8-byte padding.
const columns = {
  id: ["a", "é𝄞", ""],
  count: Int32Array.of(7, -1, 0),
  ids: { offsets: offsetsOfLengths([2, 0, 3]), values: Int32Array.of(1, 2, 3, 4, 5) },
  flags: { offsets: offsetsOfLengths([2, 0, 3]), values: Uint8Array.of(1, 0, 0, 1, 1) },
  logits: { offsets: offsetsOfLengths([1, 1, 1]), values: Float32Array.of(0.5, -2, 1e30) },
};

test("columns that are written and read again are equal", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, types, columns);
  const read = await readColumns("train", path, types, "Run tokenize again");
  expect(read).toEqual({ ...columns, rowCount: 3 });
});

test("reading copies nothing: the columns are views on one buffer", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, types, columns);
  const { ids, flags, count } = await readColumns("train", path, types, "");
  expect(ids.values.buffer).toBe(count.buffer);
  expect(flags.values.buffer).toBe(count.buffer);
});

test("equal columns give equal bytes", async () => {
  const folder = await temporaryFolder();
  await writeColumns(join(folder, "1"), types, columns);
  await writeColumns(join(folder, "2"), types, columns);
  expect(await readFile(join(folder, "1"))).toEqual(await readFile(join(folder, "2")));
});

test("a file cut short is refused by name", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, types, columns);
  await truncate(path, 300);
  await expect(readColumns("train", path, types, "Run tokenize again")).rejects.toThrow(
    `train: ${path} is not a whole Arrow file. Run tokenize again.`,
  );
});

test("a file with other columns is refused with both lists", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, { a: "int32" }, { a: Int32Array.of(1) });
  await expect(readColumns("train", path, { b: "float32" }, "")).rejects.toThrow(
    'holds columns {"a":"Int32"} in 1 record batches, expected {"b":"Float32"} in 1',
  );
});

test("a message of another type than a record batch is refused, where apache-arrow would read it for ever", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, types, columns);
  const whole = await readFile(path);
  for (const type of [0, 1, 2, 9]) {
    const bytes = Buffer.from(whole);
    bytes[typeOfRecordBatchAt(bytes)] = type;
    await writeFile(path, bytes);
    await expect(readColumns("train", path, types, "Run tokenize again")).rejects.toThrow("is not a whole Arrow file");
  }
});

test("lengths of a message that lead out of the file, and numbers of rows that it cannot hold, are refused", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  await writeColumns(path, types, columns);
  const whole = await readFile(path);
  for (const length of [0, -1, 12, 0x7ffffff8, -0x80000000]) {
    const bytes = Buffer.from(whole);
    bytes.writeInt32LE(length, startOfRecordBatch + 4);
    await writeFile(path, bytes);
    await expect(readColumns("train", path, types, ""), String(length)).rejects.toThrow("is not a whole Arrow file");
  }
});

test("offsets that go back or lead out of their values are refused", async () => {
  const path = join(await temporaryFolder(), "x.arrow");
  for (const offsets of [Int32Array.of(0, 2, 1), Int32Array.of(0, 1, 9), Int32Array.of(-1, 1, 2)]) {
    await writeColumns(path, { ids: "list:int32" }, { ids: { offsets, values: Int32Array.of(1, 2) } });
    await expect(readColumns("train", path, { ids: "list:int32" }, "")).rejects.toThrow("ids has the offset");
  }
});

/** The record batch comes first, after the magic and its padding: apache-arrow writes the schema into the footer alone. */
const startOfRecordBatch = 8;

/** Where a message says what it is: the second field of its FlatBuffers table. */
function typeOfRecordBatchAt(bytes: Buffer): number {
  const root = startOfRecordBatch + 8;
  const table = root + bytes.readUInt32LE(root);
  const at = table + bytes.readUInt16LE(table - bytes.readInt32LE(table) + 6);
  expect(bytes[at]).toBe(3);
  return at;
}
