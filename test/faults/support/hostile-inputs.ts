import type { SeededRandom } from "@bertqa/core";

/** What JSON readers trip over: other types, numbers at the edges, names that objects have by themselves, depth. */
const values: readonly unknown[] = [
  ...[null, true, false, "", 0, -1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 1e21],
  ...[
    "__proto__",
    "constructor",
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "\u001b[2J",
    "\ud800",
    "NaN",
    "x".repeat(100_000),
  ],
  ...[[], {}, [[]], [null], { length: -1 }, { then: 1 }, { toString: null }, { toJSON: 1 }],
];
const names = ["__proto__", "constructor", "prototype", "toString", "length", "", "\u001b[31m", "hasOwnProperty"];
const texts = [
  '{"a":',
  "[".repeat(50_000),
  '{"__proto__":{"polluted":1}}',
  "NaN",
  "1e999",
  '"\\ud800"',
  "\ufeff",
  "\0",
  "'",
  ",,",
];

/** A valid JSON text with one to three changes in its structure, or in its bytes. */
export function hostileJson(random: SeededRandom, valid: Uint8Array): Buffer {
  if (random.integerBelow(4) === 0) return hostileBytes(random, valid);
  let root: unknown = JSON.parse(Buffer.from(valid).toString("utf8"));
  for (let changes = 1 + random.integerBelow(3); changes > 0; changes--) root = changeOne(random, root);
  const text = JSON.stringify(root) ?? "";
  if (random.integerBelow(6) > 0) return Buffer.from(text);
  // A key that JSON.stringify cannot write, or a piece that breaks the syntax.
  const at = text.indexOf("{", random.integerBelow(text.length + 1));
  if (random.integerBelow(2) === 0 && at >= 0) {
    const rest = text.slice(at + 1);
    return Buffer.from(`${text.slice(0, at + 1)}"__proto__":{"polluted":1}${rest.startsWith("}") ? "" : ","}${rest}`);
  }
  const cut = random.integerBelow(text.length + 1);
  return Buffer.from(text.slice(0, cut) + pick(random, texts) + text.slice(cut));
}

function changeOne(random: SeededRandom, value: unknown): unknown {
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (keys.length === 0 || random.integerBelow(6) === 0) return hostileValue(random);
  const key = pick(random, keys);
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>;
  const kind = random.integerBelow(8);
  if (kind === 0) delete copy[key];
  // A list's length is its own; a name given to it would not be written in JSON.
  else if (kind === 1 && !Array.isArray(copy))
    Object.defineProperty(copy, pick(random, names), { value: hostileValue(random), enumerable: true });
  else if (kind === 2 && Array.isArray(copy)) copy.push(copy[0]);
  else copy[key] = changeOne(random, copy[key]);
  return copy;
}

function hostileValue(random: SeededRandom): unknown {
  if (random.integerBelow(20) > 0) return pick(random, values);
  let deep: unknown = [];
  for (let depth = random.integerBelow(2) === 0 ? 90 : 4000; depth > 0; depth--) deep = [deep];
  return deep;
}

/** Valid bytes with one to four changes: flips, cuts, repeats, and whole numbers at the edges where lengths and offsets stand. */
export function hostileBytes(random: SeededRandom, valid: Uint8Array): Buffer {
  let bytes = Buffer.from(valid);
  for (let changes = 1 + random.integerBelow(4); changes > 0; changes--) {
    const at = random.integerBelow(bytes.length + 1);
    const kind = random.integerBelow(6);
    if (kind === 0) bytes = bytes.subarray(0, at);
    else if (kind === 1)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.integerBelow(bytes.length + 1))]);
    else if (kind === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, texts)), bytes.subarray(at)]);
    else if (kind === 3 && at + 4 <= bytes.length)
      bytes.writeUInt32LE(pick(random, [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]), at & ~3);
    else if (kind === 4 && (at & ~7) + 8 <= bytes.length)
      bytes.writeBigUInt64LE(pick(random, [0n, 1n << 31n, 1n << 53n, (1n << 64n) - 1n]), at & ~7);
    else if (at < bytes.length) bytes[at] = random.integerBelow(256);
    bytes = Buffer.from(bytes);
  }
  return bytes;
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[random.integerBelow(items.length)] as T;
}
