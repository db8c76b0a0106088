import { BertqaError } from "@bertqa/squad";
import {
  type Data,
  type DataType,
  Field,
  Float32,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Uint8,
  Utf8,
} from "apache-arrow";
import { readFile, writeFile } from "node:fs/promises";
import { checkArrowShape } from "./arrow-shape.ts";

/**
 * Arrow IPC files as plain columns of typed arrays: one record batch a file, no nulls, no compression, so that reading
 * copies nothing (each array is a view on the file's buffer). Format: https://arrow.apache.org/docs/format/Columnar.html
 */
export type NumericArray = Int32Array | Uint8Array | Float32Array;

/** Variable-length rows: row `i` is `values[offsets[i] .. offsets[i + 1])`. `offsets` is int32 [rows + 1], from 0. */
export interface ListColumn<T extends NumericArray = NumericArray> {
  readonly offsets: Int32Array;
  readonly values: T;
}

export type Column = NumericArray | ListColumn | readonly string[];

/** What a column holds; `list:…` columns have rows of different lengths. */
export type ColumnType = "int32" | "uint8" | "float32" | "utf8" | "list:int32" | "list:uint8" | "list:float32";

/** Column names and types of a file, in order. */
export type ColumnTypes = Readonly<Record<string, ColumnType>>;

interface ArrayOfType {
  int32: Int32Array;
  uint8: Uint8Array;
  float32: Float32Array;
  utf8: readonly string[];
  "list:int32": ListColumn<Int32Array>;
  "list:uint8": ListColumn<Uint8Array>;
  "list:float32": ListColumn<Float32Array>;
}

/** The columns of a file with the types `T`. */
export type Columns<T extends ColumnTypes> = { readonly [K in keyof T]: ArrayOfType[T[K]] };

/** Writes columns of equal row counts as one Arrow file. Equal columns give equal bytes. */
export async function writeColumns<T extends ColumnTypes>(path: string, types: T, columns: Columns<T>): Promise<void> {
  const children = Object.entries(types).map(([name, type]) => toData(type, columns[name] as Column));
  const rowCount = children[0]?.length ?? 0;
  const fields = Object.entries(types).map(([name, type]) => new Field(name, arrowType(type), false));
  const schema = new Schema(fields);
  const data = makeData({ type: new Struct(fields), children, length: rowCount, nullCount: 0 });
  await writeFile(path, tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), "file"));
}

/**
 * Reads a file that {@link writeColumns} wrote.
 *
 * @returns the columns, as views on the file's buffer
 * @throws BertqaError if the file is cut short, or its columns are not `types`
 */
export async function readColumns<T extends ColumnTypes>(
  stage: string,
  path: string,
  types: T,
  remedy: string,
): Promise<Columns<T> & { readonly rowCount: number }> {
  // Copied into a buffer of its own: a small file read by Node may sit unaligned in a shared pool.
  const bytes = new Uint8Array(await readFile(path));
  let table: Table;
  try {
    checkArrowShape(bytes, Object.keys(types).length);
    table = tableFromIPC(bytes);
  } catch (cause) {
    throw new BertqaError(stage, `${path} is not a whole Arrow file`, { remedy, cause });
  }
  const found = Object.fromEntries(table.schema.fields.map((field) => [field.name, String(field.type)]));
  const expected = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, String(arrowType(type))]));
  if (JSON.stringify(found) !== JSON.stringify(expected) || table.batches.length !== 1) {
    const got = `columns ${JSON.stringify(found)} in ${table.batches.length} record batches`;
    throw new BertqaError(stage, `${path} holds ${got}, expected ${JSON.stringify(expected)} in 1`, { remedy });
  }
  const batch = table.batches[0] as RecordBatch;
  const columns = Object.entries(types).map(([name, type], i) => {
    const data = batch.data.children[i] as Data;
    const problem = findProblem(type, data, batch.numRows);
    if (problem) throw new BertqaError(stage, `${path} is not a whole Arrow file: ${name} ${problem}`, { remedy });
    return [name, fromData(type, data, batch.numRows)];
  });
  return { ...(Object.fromEntries(columns) as Columns<T>), rowCount: batch.numRows };
}

function arrowType(type: ColumnType): DataType {
  switch (type) {
    case "int32":
      return new Int32();
    case "uint8":
      return new Uint8();
    case "float32":
      return new Float32();
    case "utf8":
      return new Utf8();
    default:
      return new List(new Field("item", arrowType(type.slice("list:".length) as ColumnType), false));
  }
}

function toData(type: ColumnType, column: Column): Data {
  if (type === "utf8") return textData(column as readonly string[]);
  if (!type.startsWith("list:")) return numericData(type, column as NumericArray);
  const { offsets, values } = column as ListColumn;
  const child = numericData(type.slice("list:".length) as ColumnType, values);
  const listType = arrowType(type) as List;
  return makeData({ type: listType, valueOffsets: offsets, child, length: offsets.length - 1, nullCount: 0 });
}

function numericData(type: ColumnType, values: NumericArray): Data {
  return makeData({ type: arrowType(type) as Int32, data: values as Int32Array, length: values.length, nullCount: 0 });
}

function textData(texts: readonly string[]): Data {
  const encoded = texts.map((text) => Buffer.from(text, "utf8"));
  const valueOffsets = offsetsOfLengths(encoded.map((bytes) => bytes.length));
  return makeData({ type: new Utf8(), valueOffsets, data: Buffer.concat(encoded), length: texts.length, nullCount: 0 });
}

/** What a column's buffers lack for its rows: counts and offsets are the file's own words, and it may come from anywhere. */
function findProblem(type: ColumnType, data: Data, rowCount: number): string | undefined {
  if (data.nullCount > 0) return `has ${data.nullCount} rows without a value`;
  const isList = type === "utf8" || type.startsWith("list:");
  const values = ((type.startsWith("list:") ? data.children[0]?.values : data.values) ?? []) as NumericArray;
  if (!isList) {
    return values.length < rowCount ? `holds ${values.length} values for ${rowCount} rows` : undefined;
  }
  const offsets = (data.valueOffsets ?? []) as Int32Array;
  if (offsets.length < rowCount + 1) return `holds ${offsets.length} offsets for ${rowCount} rows`;
  let before = 0;
  for (let row = 0; row <= rowCount; row++) {
    const offset = offsets[row] as number;
    if (offset < before || offset > values.length) return `has the offset ${offset} in row ${row}`;
    before = offset;
  }
  return undefined;
}

function fromData(type: ColumnType, data: Data, rowCount: number): Column {
  // Buffers are padded to 8 bytes: cut every view to what its rows use.
  if (type === "utf8") {
    const values = data.values as Uint8Array;
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const offsets = data.valueOffsets as Int32Array;
    return Array.from({ length: rowCount }, (_, i) => bytes.toString("utf8", offsets[i], offsets[i + 1]));
  }
  if (!type.startsWith("list:")) return (data.values as NumericArray).subarray(0, rowCount);
  const offsets = (data.valueOffsets as Int32Array).subarray(0, rowCount + 1);
  const values = (data.children[0] as Data).values as NumericArray;
  return { offsets, values: values.subarray(0, offsets[rowCount] ?? 0) };
}

/** Offsets of rows laid end to end: int32 [rows + 1], from 0. */
export function offsetsOfLengths(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = (offsets[i] as number) + length));
  return offsets;
}
