/**
 * The part of protocol buffers' wire format that a TensorFlow graph needs: fields are written in the order given, so
 * that equal graphs have equal bytes. See https://protobuf.dev/programming-guides/encoding.
 */
export type Field = readonly [number: number, value: FieldValue];
/** An integer is written as a varint, `{ float32 }` in four bytes, text and bytes with their length, a list as a message. */
export type FieldValue =
  number | bigint | boolean | string | Uint8Array | { readonly float32: number } | readonly Field[];

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FOUR_BYTES = 5;
const text = new TextEncoder();

export function encodeMessage(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) pushField(parts, number, value);
  return concatBytes(parts);
}

function pushField(parts: Uint8Array[], number: number, value: FieldValue): void {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    parts.push(varint((number << 3) | VARINT), varint(value));
    return;
  }
  if (typeof value === "object" && "float32" in value) {
    parts.push(varint((number << 3) | FOUR_BYTES), new Uint8Array(Float32Array.of(value.float32).buffer));
    return;
  }
  const bytes =
    typeof value === "string" ? text.encode(value) : value instanceof Uint8Array ? value : encodeMessage(value);
  parts.push(varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes);
}

function varint(value: number | bigint | boolean): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
