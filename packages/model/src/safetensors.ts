import { open, stat, type FileHandle } from "node:fs/promises";
import { BertqaError } from "@bertqa/core";
import { z } from "zod";
import type { HostTensor } from "./types.ts";

const HEADER_LENGTH_BYTES = 8;
/** The reference reader's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

const bytesPerElement = { F32: 4, F16: 2, BF16: 2, F64: 8, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;
const entrySchema = z.object({
  dtype: z.enum(Object.keys(bytesPerElement) as [keyof typeof bytesPerElement]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());
type Entry = z.infer<typeof entrySchema>;

export interface Safetensors {
  /** Floating-point tensors as float32, in the file's order. Whole-number tensors (position ids) are left out. */
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors). float16, bfloat16 and float64 become float32.
 *
 * @param stage named in errors
 * @throws BertqaError if the file is cut short, longer than its header says, or its header is not valid
 */
export async function readSafetensors(file: string, stage: string): Promise<Safetensors> {
  const refuse = (problem: string, cause?: unknown) =>
    new BertqaError(stage, problem, { remedy: "Fetch or write the file again", where: file, cause });
  const handle = await open(file).catch((cause: unknown) => {
    throw refuse("the weights cannot be opened", cause);
  });
  try {
    const { size } = await stat(file);
    const { entries, metadata, dataStart } = await readHeader(handle, size, refuse);
    const tensors = new Map<string, HostTensor>();
    for (const [name, entry] of entries) {
      const data = await readTensor(handle, entry, dataStart);
      if (data) tensors.set(name, { shape: entry.shape, data });
    }
    return { tensors, metadata };
  } finally {
    await handle.close();
  }
}

type Refuse = (problem: string, cause?: unknown) => BertqaError;

async function readHeader(handle: FileHandle, size: number, refuse: Refuse) {
  const shortest = HEADER_LENGTH_BYTES + 2;
  if (size < shortest) throw refuse(`the safetensors file has ${size} bytes, expected at least ${shortest}`);
  const headerBytes = Number((await readBytes(handle, 0, HEADER_LENGTH_BYTES)).readBigUInt64LE(0));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > size - HEADER_LENGTH_BYTES) {
    throw refuse(`the safetensors file is cut short: its header takes ${headerBytes} bytes, the file has ${size}`);
  }
  const text = (await readBytes(handle, HEADER_LENGTH_BYTES, headerBytes)).toString("utf8");
  const { entries, metadata } = parseHeader(text, refuse);
  const dataStart = HEADER_LENGTH_BYTES + headerBytes;
  const dataBytes = entries.reduce((end, [, entry]) => Math.max(end, entry.data_offsets[1]), 0);
  if (dataStart + dataBytes !== size) {
    const how = dataStart + dataBytes > size ? "is cut short" : "is too long";
    throw refuse(`the safetensors file ${how}: it has ${size} bytes, its header describes ${dataStart + dataBytes}`);
  }
  return { entries, metadata, dataStart };
}

function parseHeader(text: string, refuse: Refuse) {
  try {
    const { __metadata__: metadata = {}, ...rest } = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
    const entries = Object.entries(rest).map(([name, entry]) => [name, entrySchema.parse(entry)] as const);
    for (const [name, entry] of entries) checkEntry(name, entry);
    return { entries, metadata: metadataSchema.parse(metadata) };
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw refuse(`the safetensors header is not valid: ${detail}`, cause);
  }
}

function checkEntry(name: string, { dtype, shape, data_offsets: [start, end] }: Entry): void {
  const expected = bytesPerElement[dtype] * elementCount(shape);
  if (end - start === expected) return;
  throw new Error(`${name}: ${dtype} [${shape.join(", ")}] takes ${expected} bytes, got ${end - start}`);
}

async function readTensor(handle: FileHandle, entry: Entry, dataStart: number): Promise<Float32Array | undefined> {
  const [start, end] = entry.data_offsets;
  const widen = widenTo32[entry.dtype];
  if (!widen) return undefined;
  const bytes = await readBytes(handle, dataStart + start, end - start);
  return widen(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
}

async function readBytes(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.from(new ArrayBuffer(length));
  for (let offset = 0; offset < length;) {
    const { bytesRead } = await handle.read(buffer, offset, length - offset, position + offset);
    if (bytesRead === 0) throw new Error(`read ${offset} of ${length} bytes at ${position}`);
    offset += bytesRead;
  }
  return buffer;
}

const widenTo32: Partial<Record<Entry["dtype"], (bytes: ArrayBuffer) => Float32Array>> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => Float32Array.from(new Float64Array(bytes)),
  BF16: (bytes) => {
    const high = new Uint16Array(bytes);
    return new Float32Array(Uint32Array.from(high, (half) => half << 16).buffer);
  },
  F16: (bytes) => Float32Array.from(new Uint16Array(bytes), halfToNumber),
};

/** IEEE 754 binary16: 1 sign bit, 5 of exponent, 10 of fraction. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = (half & 0x3ff) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

/**
 * Writes float32 tensors. Equal input gives equal bytes: tensors lie in order of name.
 *
 * @throws BertqaError if data and shape of a tensor differ in size
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of sorted) {
    if (data.length !== elementCount(shape)) {
      throw new BertqaError("model", `${name}: got ${data.length} numbers for shape [${shape.join(", ")}]`);
    }
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padding = Buffer.alloc((HEADER_LENGTH_BYTES - (json.length % HEADER_LENGTH_BYTES)) % HEADER_LENGTH_BYTES, " ");
  const length = Buffer.alloc(HEADER_LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  const handle = await open(file, "w");
  try {
    await handle.writev([length, json, padding]);
    for (const [, { data }] of sorted) {
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
