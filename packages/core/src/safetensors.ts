import { open, stat, type FileHandle } from "node:fs/promises";
import { z } from "zod";
import { BertqaError } from "@bertqa/squad";

/** A dense float32 tensor in ordinary memory, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const HEADER_LENGTH_BYTES = 8;
/** The reference reader's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of an element by its type, as the format names types. */
export const bytesPerElement = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F64: 8,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
const entrySchema = z.object({
  dtype: z.enum(Object.keys(bytesPerElement) as [keyof typeof bytesPerElement]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
type Entry = z.infer<typeof entrySchema>;
export type ElementType = Entry["dtype"];
type NamedEntry = readonly [name: string, entry: Entry];

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors#format). float16, bfloat16 and float64 become
 * float32; tensors of whole numbers (position ids) are left out.
 *
 * @param stage named in errors
 * @returns the tensors by name, in the order of their bytes
 * @throws BertqaError if the header is not valid, a tensor is named twice, or the tensors do not cover the file's data
 *   exactly once
 */
export async function readSafetensors(file: string, stage: string): Promise<Map<string, HostTensor>> {
  const refuse = (problem: string, cause?: unknown) =>
    new BertqaError(stage, problem, { remedy: "Fetch or write the file again", where: file, cause });
  const handle = await open(file).catch((cause: unknown) => {
    throw refuse("the weights cannot be opened", cause);
  });
  try {
    const { size } = await stat(file);
    const { entries, dataStart } = await readHeader(handle, size, refuse);
    const tensors = new Map<string, HostTensor>();
    for (const [name, { dtype, shape, data_offsets }] of entries) {
      const [start, end] = data_offsets;
      const toFloat32 = float32From[dtype];
      if (!toFloat32) continue;
      tensors.set(name, { shape, data: toFloat32(await readBytes(handle, dataStart + start, end - start)) });
    }
    return tensors;
  } finally {
    await handle.close();
  }
}

type Refuse = (problem: string, cause?: unknown) => BertqaError;

async function readHeader(handle: FileHandle, size: number, refuse: Refuse) {
  const shortest = HEADER_LENGTH_BYTES + 2;
  if (size < shortest) throw refuse(`the safetensors file has ${size} bytes, expected at least ${shortest}`);
  const headerBytes = Number(Buffer.from(await readBytes(handle, 0, HEADER_LENGTH_BYTES)).readBigUInt64LE(0));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > size - HEADER_LENGTH_BYTES) {
    throw refuse(`the safetensors file is cut short: its header takes ${headerBytes} bytes, the file has ${size}`);
  }
  const text = Buffer.from(await readBytes(handle, HEADER_LENGTH_BYTES, headerBytes)).toString("utf8");
  const entries = parseHeader(text, refuse);
  const dataStart = HEADER_LENGTH_BYTES + headerBytes;
  const described = dataStart + (entries.at(-1)?.[1].data_offsets[1] ?? 0);
  if (described !== size) {
    const how = described > size ? "is cut short" : "is too long";
    throw refuse(`the safetensors file ${how}: it has ${size} bytes, its header describes ${described}`);
  }
  return { entries, dataStart };
}

/** @returns the entries in the order of their bytes */
function parseHeader(text: string, refuse: Refuse): NamedEntry[] {
  try {
    if (!text.startsWith("{")) throw new Error(`it begins with ${JSON.stringify(text[0])}, expected "{"`);
    const { __metadata__: metadata = {}, ...rest } = JSON.parse(text) as Record<string, unknown>;
    const { data_offsets: ofMetadata } = z.record(z.string(), z.string()).parse(metadata);
    const entries = Object.entries(z.record(z.string(), entrySchema).parse(rest));
    entries.sort(([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1]);
    checkEntries(entries);
    // JSON.parse keeps the last of equal keys. Inside a string the quotation marks would be escaped.
    const named = (text.match(/"data_offsets"\s*:/g)?.length ?? 0) - (ofMetadata === undefined ? 0 : 1);
    if (named > entries.length) throw new Error(`${named} tensors under ${entries.length} names`);
    return entries;
  } catch (cause) {
    const details =
      cause instanceof z.ZodError
        ? cause.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")
        : (cause as Error).message;
    throw refuse(`the safetensors header is not valid: ${details}`, cause);
  }
}

function checkEntries(entries: readonly NamedEntry[]): void {
  let covered = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [start, end] = data_offsets;
    const expected = bytesPerElement[dtype] * elementCount(shape);
    if (end - start !== expected) {
      throw new Error(`${name}: ${dtype} [${shape.join(", ")}] takes ${expected} bytes, got ${end - start}`);
    }
    if (start !== covered) throw new Error(`${name}: got data from byte ${start}, expected ${covered}`);
    covered = end;
  }
}

async function readBytes(handle: FileHandle, position: number, length: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length;) {
    const { bytesRead } = await handle.read(bytes, offset, length - offset, position + offset);
    if (bytesRead === 0) throw new Error(`read ${offset} of ${length} bytes at ${position}`);
    offset += bytesRead;
  }
  return bytes.buffer;
}

/** How numbers of a type become float32, from the bytes of a whole tensor; none for whole numbers, which are position ids. */
export const float32From: Partial<Record<ElementType, (bytes: ArrayBuffer) => Float32Array>> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => Float32Array.from(new Float64Array(bytes)),
  BF16: (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(bytes), (half) => half << 16).buffer),
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

/**
 * What of some tensors is not a finite number, for a message: `3 of 12 in bert.embeddings.LayerNorm.bias`, and how many
 * further tensors hold such numbers; `undefined` where all numbers are finite.
 */
export function describeNonFinite(tensors: ReadonlyMap<string, HostTensor>): string | undefined {
  const found: string[] = [];
  for (const [name, { data }] of tensors) {
    let count = 0;
    // Infinity and NaN are the numbers whose difference from themselves is not 0.
    for (const number of data) if (number - number !== 0) count++;
    if (count > 0) found.push(`${count} of ${data.length} in ${name}`);
  }
  if (found.length === 0) return undefined;
  return `${found[0]}${found.length === 1 ? "" : `, and ${found.length - 1} more tensors`}`;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
