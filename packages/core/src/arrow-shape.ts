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
  checkBatch(view, targetOf(view, root, 3) + 4, columns);
}

/** @param block where the footer's words on the only record batch lie: its offset in the file and its lengths */
function checkBatch(view: DataView, block: number, columns: number): void {
  const start = Number(view.getBigInt64(block, true));
  // The continuation mark and the length of the metadata come before a message.
  if (view.getUint32(start, true) !== 0xffffffff) throw new Error(`no message begins at ${start}`);
  const length = view.getInt32(start + 4, true);
  if (length <= 0 || length % 8 !== 0 || start + 8 + length > view.byteLength) {
    throw new Error(`its message has ${length} bytes of metadata`);
  }
  const message = rootOf(view, start + 8);
  const typeAt = fieldOf(view, message, 1);
  const type = typeAt === 0 ? 0 : view.getUint8(typeAt);
  // For a message of any other type, apache-arrow goes back to the same block for the next one: for ever.
  if (type !== recordBatchType) throw new Error(`its message is of type ${type}, expected ${recordBatchType}`);
  requireLong("message body bytes", view, fieldOf(view, message, 3), view.byteLength - start - 8 - length);
  requireCount("metadata", countOf(view, message, 4), 0);
  const batch = targetOf(view, message, 2);
  requireLong("rows", view, fieldOf(view, batch, 0), view.byteLength);
  requireCount("nodes", countOf(view, batch, 1), 2 * columns);
  requireCount("buffers", countOf(view, batch, 2), 5 * columns);
  requireCount("compressions", fieldOf(view, batch, 3) === 0 ? 0 : 1, 0);
  requireCount("variadic buffers", countOf(view, batch, 4), 0);
  const nodes = targetOf(view, batch, 1) + 4;
  for (let i = 0; i < countOf(view, batch, 1); i++) {
    requireLong("rows in a column", view, nodes + 16 * i, view.byteLength);
    requireLong("rows without a value", view, nodes + 16 * i + 8, 0);
  }
}

/** RecordBatch in Message.fbs's union MessageHeader. */
const recordBatchType = 3;
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
  requireCount("dictionaries", fieldOf(view, field, 4) === 0 ? 0 : 1, 0);
  requireCount("children", countOf(view, field, 5), depth);
  requireCount("metadata", countOf(view, field, 6), 0);
  if (countOf(view, field, 5) > 0) checkField(view, targetOf(view, field, 5) + 4, depth - 1);
}

function requireCount(what: string, got: number, most: number): void {
  if (got > most) throw new Error(`it has ${got} ${what}, expected ${most} at most`);
}

/** @param at where the 64-bit number lies; 0 where it is left out */
function requireLong(what: string, view: DataView, at: number, most: number): void {
  const got = at === 0 ? 0n : view.getBigInt64(at, true);
  if (got < 0n || got > most) throw new Error(`it has ${got} ${what}, expected 0 to ${most}`);
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
