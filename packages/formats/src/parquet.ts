import type { RawRow } from "@bertqa/squad";
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { setImmediate } from "node:timers/promises";
import { FormatError } from "./format-error.ts";
import { expectedColumns, looksLikeRow, rowsOfRecords } from "./table.ts";

/**
 * Reads a Parquet file as Hugging Face's datasets have them: a row a question.
 *
 * @throws FormatError if it is damaged, or its columns are not those of a table of questions
 */
export async function rowsOfParquet(bytes: Uint8Array): Promise<RawRow[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { names, records } = await readRecords(file);
  if (!looksLikeRow(names)) {
    throw new FormatError(`its columns are ${names.join(", ")}, expected ${expectedColumns}`);
  }
  return rowsOfRecords(
    records.map((record, i) => ({ record: plain(record) as Record<string, unknown>, place: `row ${i + 1}` })),
  );
}

async function readRecords(bytes: ArrayBuffer) {
  let hasFailed = false;
  // hyparquet begins to read columns before it has looked at the whole schema. Where that makes it fail, nobody waits for the
  // columns any more, and the error of one would end the process: they are given their bytes once it is known.
  const file = {
    byteLength: bytes.byteLength,
    slice: async (start: number, end?: number): Promise<ArrayBuffer> => {
      await setImmediate();
      return hasFailed ? new Promise(() => {}) : bytes.slice(start, end);
    },
  };
  try {
    // Its marks of geometry columns never end where a schema counts fewer than no children.
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    // The first element of the schema is its root, and nested columns follow the one that holds them.
    const names = Object.keys((await parquetReadObjects({ file, metadata, compressors, rowEnd: 1 }))[0] ?? {});
    return { names, records: await parquetReadObjects({ file, metadata, compressors }) };
  } catch (error) {
    hasFailed = true;
    throw new FormatError(`it is not a readable Parquet file: ${(error as Error).message}`);
  }
}

/** 64-bit integers become numbers, or the text of their digits; typed arrays become arrays. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as Int32Array, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}
