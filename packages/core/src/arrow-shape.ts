/**
 * Checks the counts in the metadata of an Arrow IPC file before a reader follows them. The metadata are FlatBuffers, whose vectors
 * begin with a count that nobody else checks: apache-arrow makes an object for each entry that a count promises, gigabytes of
 * them for a file of a hundred bytes. Layouts: https://github.com/apache/arrow/tree/main/format (File.fbs, Schema.fbs,
 * Message.fbs) and https://flatbuffers.dev/internals/
 *
 * @param columns the columns that the file is to have
 * @throws Error naming what is wrong; RangeError where an offset leads out of the file
 */
export function checkArrowShape(bytes: Uint8Array, columns: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - magic.length;
  if (!isMagicAt(bytes, 0) || !isMagicAt(bytes, end)) throw new Error("it does not begin and end with ARROW1");
  const footer = end - 4 - view.getInt32(end - 4, true);
  const root = rootOf(view, footer);
  requireCount("dictionaries", countOf(view, root, 2), 0);
  requireCount("record batches", countOf(view, root, 3), 1);
  checkSchema(view, targetOf(view, root, 1), columns);
  const block = targetOf(view, root, 3) + 4;
  // The continuation mark and the length of the metadata come before a message.
  const message = rootOf(view, Number(view.getBigInt64(block, true)) + 8);
  const batch = targetOf(view, message, 2);
  requireCount("nodes", countOf(view, batch, 1), 2 * columns);
  requireCount("buffers", countOf(view, batch, 2), 5 * columns);
  requireCount("variadic buffers", countOf(view, batch, 4), 0);
}

const magic = "ARROW1";

function isMagicAt(bytes: Uint8Array, at: number): boolean {
  return at >= 0 && Buffer.from(bytes.subarray(at, at + magic.length)).toString("latin1") === magic;
}

function checkSchema(view: DataView, schema: number, columns: number): void {
  requireCount("columns", countOf(view, schema, 1), columns);
  requireCount("metadata", countOf(view, schema, 2), 0);
  const fields = targetOf(view, schema, 1) + 4;
  for (let i = 0; i < countOf(view, schema, 1); i++) checkField(view, fields + 4 * i, 1);
}

/** @param depth of the lists that may still be in it */
function checkField(view: DataView, reference: number, depth: number): void {
  const field = reference + view.getUint32(reference, true);
  requireCount("children", countOf(view, field, 5), depth);
  requireCount("metadata", countOf(view, field, 6), 0);
  if (countOf(view, field, 5) > 0) checkField(view, targetOf(view, field, 5) + 4, depth - 1);
}

function requireCount(what: string, got: number, most: number): void {
  if (got > most) throw new Error(`it has ${got} ${what}, expected ${most} at most`);
}

function rootOf(view: DataView, at: number): number {
  return at + view.getUint32(at, true);
}

/** Where a field of a table lies; 0 where it is left out. */
function fieldOf(view: DataView, table: number, index: number): number {
  const vtable = table - view.getInt32(table, true);
  const entry = 4 + 2 * index;
  const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
  return offset === 0 ? 0 : table + offset;
}

/** Where the table or vector that a field names begins; 0 where the field is left out. */
function targetOf(view: DataView, table: number, index: number): number {
  const field = fieldOf(view, table, index);
  return field === 0 ? 0 : field + view.getUint32(field, true);
}

function countOf(view: DataView, table: number, index: number): number {
  const vector = targetOf(view, table, index);
  return vector === 0 ? 0 : view.getUint32(vector, true);
}
