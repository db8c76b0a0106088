import { readFile, truncate } from "node:fs/promises";
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
