import { bytesPerElement, elementCount, float32From, sha256Of, type ElementType, type HostTensor } from "@bertqa/core";
import { readFile } from "node:fs/promises";
import { fromBuffer, type Entry, type ZipFile } from "yauzl";
import { PersistentId, PickleCall, PickleGlobal, PickleReader, type PickleDict } from "./pickle.ts";

const rebuildTensor = "torch._utils._rebuild_tensor_v2";
const rebuildParameter = "torch._utils._rebuild_parameter";

/** Types of elements by the storage class that a pickle names. */
const storages: Readonly<Record<string, ElementType>> = {
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.BoolStorage": "BOOL",
  "torch.ByteStorage": "U8",
};
const allowed = new Set([rebuildTensor, rebuildParameter, "collections.OrderedDict", ...Object.keys(storages)]);

/**
 * Reads the tensors of a `pytorch_model.bin`, in the zip format that torch.save writes since 1.6 or the older one. No code
 * of the file is run: it may hold a dictionary of tensors and nothing else.
 *
 * @param sha256 of the bytes that are read, where it is known
 * @returns floating-point tensors as float32, by name
 * @throws Error saying what in it is no tensor, or where it ends too early
 */
export async function readPytorchTensors(path: string, sha256?: string): Promise<Map<string, HostTensor>> {
  const bytes = await readFile(path);
  if (sha256 !== undefined && sha256Of(bytes) !== sha256) throw new Error("it changed since it was checked");
  return bytes.readUInt32LE(0) === 0x04034b50 ? readZipFormat(bytes) : readLegacyFormat(bytes);
}

async function readZipFormat(bytes: Buffer): Promise<Map<string, HostTensor>> {
  const members = await zipMembers(bytes);
  const pickleName = [...members.keys()].find((name) => name.endsWith("/data.pkl"));
  if (pickleName === undefined) throw new Error("the zip archive holds no data.pkl");
  const folder = pickleName.slice(0, -"data.pkl".length);
  const byteOrder = members.get(`${folder}byteorder`)?.toString() ?? "little";
  if (byteOrder !== "little") throw new Error(`its numbers are ${byteOrder}-endian`);
  const dict = readPickle(() => new PickleReader(members.get(pickleName) as Buffer, allowed).read());
  return tensorsOf(dict, (key) => members.get(`${folder}data/${key}`));
}

/** All members; torch.save stores them uncompressed. */
async function zipMembers(bytes: Buffer): Promise<Map<string, Buffer>> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true }, (error, file) => (error ? reject(error) : resolve(file)));
  });
  const members = new Map<string, Buffer>();
  await new Promise<void>((resolve, reject) => {
    zip.on("error", reject).on("end", resolve);
    zip.on("entry", (entry: Entry) => {
      if (entry.compressionMethod !== 0)
        return void reject(new Error("its members are compressed, as torch.save never does"));
      zip.openReadStream(entry, (error, stream) => {
        if (error) return void reject(error);
        const chunks: Buffer[] = [];
        stream.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          members.set(entry.fileName, Buffer.concat(chunks));
          zip.readEntry();
        });
      });
    });
    zip.readEntry();
  });
  return members;
}

/** Five pickles (magic number, version, machine, the dictionary, the storages' keys), then each storage with its length before it. */
function readLegacyFormat(bytes: Buffer): Map<string, HostTensor> {
  const reader = new PickleReader(bytes, allowed);
  const [magic, version, , dict, keys] = readPickle(() => Array.from({ length: 5 }, () => reader.read()));
  if (magic !== Number(0x1950a86a20f9469cfc6cn) || version !== 1001) throw new Error("it is not a file of torch.save");
  if (!Array.isArray(keys)) throw new Error("it has no list of storages");
  const elementBytes = new Map(storagesIn(dict).map(({ key, kind }) => [key, bytesPerElement[storages[kind]!]]));
  const stored = new Map<string, Buffer>();
  let at = reader.position;
  for (const key of keys.map(String)) {
    const size = Number(bytes.readBigUInt64LE(at)) * (elementBytes.get(key) ?? 0);
    if (at + 8 + size > bytes.length) throw new Error("it is cut short");
    stored.set(key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return tensorsOf(dict, (key) => stored.get(key));
}

function readPickle<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const what = (cause as Error).message;
    throw new Error(`it holds something else than tensors, which is not read and not run: ${what}`, { cause });
  }
}

interface StorageRef {
  readonly kind: string;
  readonly key: string;
}

function storagesIn(dict: unknown): StorageRef[] {
  return entriesOf(dict).map(([name, value]) => tensorRef(name, value).storage);
}

function entriesOf(dict: unknown): [string, unknown][] {
  if (!(dict instanceof Map)) throw new Error("it holds no dictionary of tensors");
  return [...(dict as PickleDict)].map(([name, value]) => [String(name), value]);
}

interface TensorRef {
  readonly storage: StorageRef;
  readonly offset: number;
  readonly shape: readonly number[];
  /** How far apart neighbours along each axis lie. */
  readonly strides: readonly number[];
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`, perhaps within `_rebuild_parameter`. */
function tensorRef(name: string, value: unknown): TensorRef {
  const call = value instanceof PickleCall && value.callee === rebuildParameter ? value.args[0] : value;
  if (!(call instanceof PickleCall) || call.callee !== rebuildTensor) throw new Error(`${name} is no tensor`);
  const [storage, offset, shape, strides] = call.args;
  const [, kind, key] = storage instanceof PersistentId && Array.isArray(storage.id) ? (storage.id as unknown[]) : [];
  const isShape = isCounts(shape) && isCounts(strides) && shape.length === strides.length && isCounts([offset]);
  if (!(kind instanceof PickleGlobal) || !isShape || !(kind.name in storages))
    throw new Error(`${name} has no storage`);
  return { storage: { kind: kind.name, key: String(key) }, offset: offset as number, shape, strides };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
}

function tensorsOf(dict: unknown, bytesOf: (key: string) => Buffer | undefined): Map<string, HostTensor> {
  const tensors = new Map<string, HostTensor>();
  for (const [name, value] of entriesOf(dict)) {
    const { storage, offset, shape, strides } = tensorRef(name, value);
    const type = storages[storage.kind]!;
    const elementBytes = bytesPerElement[type];
    const toFloat32 = float32From[type];
    if (!toFloat32) continue;
    const isEmpty = elementCount(shape) === 0;
    const span = isEmpty ? 0 : 1 + shape.reduce((last, length, axis) => last + (length - 1) * strides[axis]!, 0);
    const [start, end] = [offset * elementBytes, (offset + span) * elementBytes];
    const bytes = bytesOf(storage.key);
    if (!bytes || end > bytes.length)
      throw new Error(`${name} reaches past its storage of ${bytes?.length ?? 0} bytes`);
    // A small file could ask for any amount of memory.
    if (elementCount(shape) > span) throw new Error(`${name} is a view that repeats its numbers`);
    tensors.set(name, { shape, data: rowByRow(toFloat32(aligned(bytes.subarray(start, end))), shape, strides) });
  }
  return tensors;
}

/** TensorFlow's converter left each matrix as it lay there, column by column. */
function rowByRow(data: Float32Array, shape: readonly number[], strides: readonly number[]): Float32Array {
  const isOrdered = shape.every((length, axis) => length <= 1 || strides[axis] === elementCount(shape.slice(axis + 1)));
  if (isOrdered) return data;
  const result = new Float32Array(elementCount(shape));
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** A copy whose first byte a typed array may start at. */
function aligned(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
