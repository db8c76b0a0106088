import { unicodeData } from "./unicode-data.ts";

/** What BERT's tokenizer does to a code point; bits of {@link UnicodeTables.flags}. */
export const removedFlag = 1;
export const whiteFlag = 2;
export const punctuationFlag = 4;
export const chineseFlag = 8;
export const accentFlag = 16;
/** Decomposed by NFD, or moved by it: has a combining class. */
export const composedFlag = 32;
export const lowerFlag = 64;

const codePointCount = 0x110000;
const hangul = { first: 0xac00, end: 0xd7a4, l: 0x1100, v: 0x1161, t: 0x11a7, vCount: 21, tCount: 28 };

export interface UnicodeTables {
  /** uint8 [0x110000] */
  readonly flags: Uint8Array;
  /** Lower case of a code point with {@link lowerFlag}. */
  readonly lower: ReadonlyMap<number, number>;
  /** Rank of a combining class; absent for class 0. */
  readonly combining: ReadonlyMap<number, number>;
  /** Canonical decompositions, Hangul's left out. */
  readonly decompositions: ReadonlyMap<number, readonly number[]>;
}

let tables: UnicodeTables | undefined;

/** The tables, unpacked at the first call: about a megabyte. */
export function unicodeTables(): UnicodeTables {
  return (tables ??= unpack());
}

function unpack(): UnicodeTables {
  const flags = new Uint8Array(codePointCount);
  const mark = (c: number, flag: number) => (flags[c] = (flags[c] as number) | flag);
  const ranges = { removed: removedFlag, white: whiteFlag, punctuation: punctuationFlag, chinese: chineseFlag };
  for (const [name, flag] of Object.entries({ ...ranges, accents: accentFlag })) {
    forEachRange(numbersOf(unicodeData[name as keyof typeof unicodeData]), (c) => mark(c, flag));
  }
  const combining = new Map<number, number>();
  const classes = numbersOf(unicodeData.combining);
  for (let i = 0, c = 0; i < classes.length; i += 3) {
    c += classes[i] as number;
    for (const end = c + (classes[i + 1] as number); c < end; c++) combining.set(c, classes[i + 2] as number);
  }
  const lower = new Map<number, number>();
  const runs = numbersOf(unicodeData.lower);
  for (let i = 0, end = 0; i < runs.length; i += 4) {
    const [gap, count, step, distance] = runs.slice(i) as [number, number, number, number];
    for (let k = 0; k < count; k++) lower.set(end + gap + k * step, end + gap + k * step + distance);
    end += gap + (count - 1) * step + 1;
  }
  const decompositions = new Map<number, readonly number[]>();
  const packed = numbersOf(unicodeData.decompositions);
  for (let i = 0, c = 0; i < packed.length; i += 2 + (packed[i + 1] as number)) {
    c += packed[i] as number;
    decompositions.set(c, packed.slice(i + 2, i + 2 + (packed[i + 1] as number)));
  }
  for (const c of combining.keys()) mark(c, composedFlag);
  for (const c of decompositions.keys()) mark(c, composedFlag);
  for (let c = hangul.first; c < hangul.end; c++) mark(c, composedFlag);
  for (const c of lower.keys()) mark(c, lowerFlag);
  return { flags, lower, combining, decompositions };
}

function numbersOf(packed: string): number[] {
  return packed.split(" ").map((digits) => Number.parseInt(digits, 36));
}

function forEachRange(numbers: readonly number[], use: (c: number) => void): void {
  for (let i = 0, c = 0; i < numbers.length; i += 2) {
    c += numbers[i] as number;
    for (const end = c + (numbers[i + 1] as number); c < end; c++) use(c);
  }
}

/** The code points that NFD puts in place of one with {@link composedFlag}; itself where only its class matters. */
export function decompose(c: number): readonly number[] {
  if (c < hangul.first || c >= hangul.end) return unicodeTables().decompositions.get(c) ?? [c];
  // Unicode Standard, 3.12: a syllable is a leading consonant, a vowel, and maybe a trailing consonant.
  const index = c - hangul.first;
  const trailing = index % hangul.tCount;
  const leading = hangul.l + Math.floor(index / (hangul.vCount * hangul.tCount));
  const vowel = hangul.v + Math.floor((index % (hangul.vCount * hangul.tCount)) / hangul.tCount);
  return trailing === 0 ? [leading, vowel] : [leading, vowel, hangul.t + trailing];
}
