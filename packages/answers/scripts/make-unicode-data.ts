/**
 * Writes `src/unicode-data.ts`: what the tokenizers library (its npm binding) does to each code point, found by asking it.
 * The library holds several Unicode versions at once (one for categories, one for decompositions, Rust's for lower case),
 * so no published table gives the same.
 *
 *     TSX_DISABLE_CACHE=1 npx tsx packages/answers/scripts/make-unicode-data.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const library = require("tokenizers") as typeof import("tokenizers");
const { version } = JSON.parse(readFileSync(require.resolve("tokenizers/package.json"), "utf8")) as { version: string };

const none = { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
const clean = library.bertNormalizer({ ...none, cleanText: true });
const spaceOut = library.bertNormalizer({ ...none, handleChineseChars: true });
const stripAccents = library.bertNormalizer({ ...none, stripAccents: true });
const lowercase = library.bertNormalizer({ ...none, lowercase: true });
const decompose = library.nfdNormalizer();
const preTokenizer = library.bertPreTokenizer();

const isSurrogate = (c: number) => c >= 0xd800 && c <= 0xdfff;
const isHangul = (c: number) => c >= 0xac00 && c <= 0xd7a3; // decomposed by a formula
const codes = Array.from({ length: 0x110000 }, (_, c) => c).filter((c) => !isSurrogate(c));
const text = String.fromCodePoint;
const pointsOf = (value: string) => Array.from(value, (character) => character.codePointAt(0) as number);
const piecesBetweenLetters = (c: number) => preTokenizer.preTokenizeString(`a${text(c)}b`).length;

/** Does NFD swap these two, written in this order after a letter? */
const swaps = (a: number, b: number) => decompose.normalizeString(`a${text(a)}${text(b)}`) === `a${text(b)}${text(a)}`;
// U+0334 has the lowest combining class, 1, and U+0345 the highest, 240: a mark is swapped with one of them.
const marks = codes.filter((c) => swaps(c, 0x334) || swaps(0x345, c));
marks.sort((a, b) => (swaps(a, b) ? 1 : swaps(b, a) ? -1 : a - b));
const rankOf = new Map<number, number>();
let rank = 0;
marks.forEach((c, i) => {
  if (i === 0 || swaps(c, marks[i - 1] as number) || swaps(marks[i - 1] as number, c)) rank++;
  rankOf.set(c, rank);
});

/** Runs of neighbours with one value: gap to the last run, length, value. */
function runs(values: ReadonlyMap<number, number>): number[] {
  const numbers: number[] = [];
  let end = 0;
  let start = -1;
  for (const [c, value] of [...values].sort(([a], [b]) => a - b)) {
    if (start >= 0 && c === end && value === numbers.at(-1)) numbers[numbers.length - 2] = ++end - start;
    else {
      numbers.push(c - end, 1, value);
      start = c;
      end = c + 1;
    }
  }
  return numbers;
}

/** Runs without a value. */
function ranges(matches: (c: number) => boolean): number[] {
  const all = runs(new Map(codes.filter(matches).map((c) => [c, 0])));
  return all.filter((_, i) => i % 3 !== 2);
}

/** Runs of lower-case mappings: gap to the last run, count, step between them (1 or 2), distance to the lower case. */
function lowerRuns(): number[] {
  const mappings = codes
    .map((c) => [c, pointsOf(lowercase.normalizeString(text(c)))] as const)
    .filter(([c, [lower]]) => lower !== c);
  const numbers: number[] = [];
  let [last, end, count] = [0, 0, 0];
  for (const [c, lower] of mappings) {
    const distance = (lower[0] as number) - c;
    // İ alone has a second character, a dot above; `lowercase` in normalize.ts knows it.
    if (lower.length > 1 && c !== 0x130)
      throw new Error(`U+${c.toString(16)} has ${lower.length} lower-case characters`);
    const step = c - last;
    const isNext = count > 0 && distance === numbers.at(-1) && (count === 1 ? step <= 2 : step === numbers.at(-2));
    if (isNext) {
      numbers.splice(-3, 2, ++count, step);
    } else {
      numbers.push(c - end, 1, 1, distance);
      count = 1;
    }
    last = c;
    end = c + 1;
  }
  return numbers;
}

/** For each: gap to the last, number of code points, the code points. */
function decompositions(): number[] {
  let last = 0;
  return codes.flatMap((c) => {
    const parts = isHangul(c) ? [c] : pointsOf(decompose.normalizeString(text(c)));
    if (parts.length === 1 && parts[0] === c) return [];
    const gap = c - last;
    last = c;
    return [gap, parts.length, ...parts];
  });
}

const data: Record<string, [comment: string, numbers: number[]]> = {
  removed: ["Ranges that clean_text removes.", ranges((c) => clean.normalizeString(text(c)) === "")],
  white: ["Ranges that part words.", ranges((c) => piecesBetweenLetters(c) === 2)],
  punctuation: ["Ranges of characters that are words by themselves.", ranges((c) => piecesBetweenLetters(c) === 3)],
  chinese: [
    "Ranges that handle_chinese_chars spaces out.",
    ranges((c) => spaceOut.normalizeString(text(c)) !== text(c)),
  ],
  accents: [
    "Ranges that strip_accents removes.",
    ranges((c) => stripAccents.normalizeString(text(c)) === "" && decompose.normalizeString(text(c)) === text(c)),
  ],
  combining: ["Combining classes other than 0, as ranks from 1: gap, length, rank.", runs(rankOf)],
  lower: ["Lower case: gap, count, step, distance.", lowerRuns()],
  decompositions: ["Canonical decompositions but Hangul's: gap, number of code points, code points.", decompositions()],
};

const lines = Object.entries(data).map(([name, [comment, numbers]]) => {
  return `\n  /** ${comment} */\n  ${name}:\n    "${numbers.map((number) => number.toString(36)).join(" ")}",`;
});
const source = `// Made by scripts/make-unicode-data.ts from tokenizers ${version}. Do not edit.

/**
 * What the tokenizers library does to each code point. Numbers in base 36. A range is two numbers: the gap since the end of
 * the last range, and its length.
 */
export const unicodeData = {${lines.join("\n")}
} as const;
`;
writeFileSync(new URL("../src/unicode-data.ts", import.meta.url), source);
