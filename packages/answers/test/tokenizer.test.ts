import { createRequire } from "node:module";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { NormalizedText } from "../src/normalize.ts";
import {
  encoderRemedy,
  readTokenizerJson,
  readVocabulary,
  type TokenizedText,
  type WordPieceTokenizer,
} from "../src/index.ts";
import { corpora, encoderFile, fixtureTokenizer, questionsIn } from "./support/files.ts";
import { hostileText, randomText } from "../../squad/test/support/hostile.ts";
import { SeededRandom } from "../../squad/test/support/random.ts";

/** The oracle: Hugging Face's Rust library. */
const library = createRequire(import.meta.url)("tokenizers") as typeof import("tokenizers");
const json = encoderFile("tokenizer.json");

interface TokenizerFile {
  normalizer: Record<string, unknown>;
  added_tokens: Record<string, unknown>[];
  post_processor: unknown;
  model: Record<string, unknown>;
  pre_tokenizer: unknown;
}
const changed = (change: (file: TokenizerFile) => void) => {
  const file = JSON.parse(json) as TokenizerFile;
  change(file);
  return JSON.stringify(file);
};

/** Texts whose ids or offsets differ from the library's, with both. */
async function differences(texts: readonly string[], file: string, ours?: WordPieceTokenizer): Promise<string[]> {
  const tokenizer = ours ?? readTokenizerJson("test", file, "tokenizer.json");
  const theirs = library.Tokenizer.fromString(file);
  theirs.disablePadding();
  theirs.disableTruncation();
  const found: string[] = [];
  for (let first = 0; first < texts.length; first += 1000) {
    const batch = texts.slice(first, first + 1000);
    (await theirs.encodeBatch(batch, { addSpecialTokens: false })).forEach((encoding, i) => {
      const got = plain(tokenizer.encode(batch[i] as string));
      const wanted = JSON.stringify([encoding.getIds(), encoding.getOffsets()]);
      if (got !== wanted) found.push(`${JSON.stringify(batch[i])}: got ${got}, the library ${wanted}`);
    });
  }
  return found;
}

function plain({ ids, startCodePoints, endCodePoints }: TokenizedText): string {
  return JSON.stringify([[...ids], [...ids].map((_, token) => [startCodePoints[token], endCodePoints[token]])]);
}

/** Marks of all classes, decompositions, Hangul, lone surrogates and what the normalizer removes, side by side. */
const marks = [0x301, 0x323, 0x5b0, 0x93c, 0x94d, 0xe38, 0x302e, 0x1d165, 0x1d16d, 0xa953, 0x1b44, 0x334, 0x345, 0x344]
  .concat([0x958, 0xac01, 0x130, 0x1e9e, 0xfb2c, 0xf900, 0x2000, 0x37e, 0xad, 0x200f, 0xe9, 0x1f82, 0x41, 0xfffd])
  .concat([0xd800, 0x20, 0x2e, 0x4e00, 0x20000, 0x1f600, 0x3a3])
  .map((code) => String.fromCodePoint(code));
const special = ["[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]", " ", "a", "[", "##", "SEP]", "é", "\u0301", "the"];

function hostileTexts(count: number): string[] {
  const random = new SeededRandom(11);
  const from = (parts: readonly string[]) =>
    Array.from({ length: random.integerBelow(14) }, () => parts[random.integerBelow(parts.length)]).join("");
  const kinds = [() => hostileText(random), () => randomText(random), () => from(marks), () => from(special)];
  return Array.from({ length: count }, (_, i) => (kinds[i % kinds.length] as () => string)());
}

const variants: [name: string, change: (file: TokenizerFile) => void][] = [
  ["uncased", () => {}],
  ["cased", ({ normalizer }) => (normalizer["lowercase"] = false)],
  ["cased without accents", ({ normalizer }) => Object.assign(normalizer, { lowercase: false, strip_accents: true })],
  ["uncased with accents", ({ normalizer }) => (normalizer["strip_accents"] = false)],
  [
    "neither cleaned nor Chinese characters spaced out",
    ({ normalizer }) => Object.assign(normalizer, { clean_text: false, handle_chinese_chars: false }),
  ],
];

describe("the tokenizers library", () => {
  test.each(variants)("gives the same ids and offsets for 10,000 hostile texts, %s", async (_, change) => {
    expect(await differences(hostileTexts(10_000), changed(change))).toEqual([]);
  });

  test.each(corpora)(
    "gives the same ids and offsets for every passage and question of %s",
    async (path) => {
      const texts = questionsIn(path).flatMap(({ context, question }) => [context, question]);
      const once = [...new Set(texts)];
      expect(await differences(once, json)).toEqual([]);
      const cased = changed(({ normalizer }) => (normalizer["lowercase"] = false));
      if (basename(path) !== "train-10k.json") expect(await differences(once, cased)).toEqual([]);
    },
    120_000,
  );

  test("normalizes every code point alike, so the tables are those of its Unicode versions", () => {
    for (const [cleanText, stripAccents, lowercase] of [
      [true, true, true],
      [true, false, false],
      [false, false, true],
    ] as const) {
      const theirs = library.bertNormalizer({ cleanText, stripAccents, lowercase, handleChineseChars: cleanText });
      for (let first = 0; first < 0x110000; first += 1024) {
        const text = Array.from({ length: 1024 }, (_, i) => `a${String.fromCodePoint(first + i)}b`).join("");
        const ours = new NormalizedText(text, { cleanText, stripAccents, lowercase, chineseCharacters: cleanText });
        const normalized = Array.from(ours.codePoints.subarray(0, ours.length), (c) => String.fromCodePoint(c)).join(
          "",
        );
        if (normalized !== theirs.normalizeString(text)) expect(`U+${first.toString(16)} and on`).toBe("alike");
      }
    }
  });

  test("finds added tokens alike: in the text or in its normal form, with the white space beside them", async () => {
    const added = (content: string, more: object = {}) => ({
      ...{ content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false },
      ...more,
    });
    const file = changed((tokenizer) => {
      const size = Object.keys(tokenizer.model["vocab"] as object).length;
      const tokens = [
        added("<L>", { lstrip: true }),
        added("<R>", { rstrip: true }),
        added("<L>>"),
        added("Ünits", { normalized: true }),
        added("a.b", { normalized: true, rstrip: true }),
        added("COVID-19", { normalized: true }),
      ];
      tokenizer.added_tokens.push(...tokens.map((token, i) => ({ id: size + i, ...token })));
    });
    const random = new SeededRandom(12);
    const parts = [
      "<L>",
      "<R>",
      ">",
      "Ünits",
      "u\u0308nits",
      "UNITS",
      "A.B",
      "a.b",
      "Covid-19",
      " ",
      "\u00a0",
      "\n",
      "the",
      "[SEP]",
    ];
    const texts = Array.from({ length: 3000 }, () =>
      Array.from({ length: random.integerBelow(9) }, () => parts[random.integerBelow(parts.length)]).join(""),
    );
    expect(await differences(texts, file)).toEqual([]);
  });
});

test("vocab.txt with tokenizer_config.json is the same tokenizer", async () => {
  const config = JSON.parse(encoderFile("tokenizer_config.json")) as Record<string, unknown>;
  const ours = readVocabulary("test", encoderFile("vocab.txt"), config, "vocab.txt");
  const texts = hostileTexts(1000);
  expect(await differences(texts, json, ours)).toEqual([]);
  const { clsId, sepId, vocabularySize } = fixtureTokenizer();
  expect(ours).toMatchObject({ clsId, sepId, vocabularySize });
  const cased = readVocabulary("test", encoderFile("vocab.txt"), { do_lower_case: false }, "vocab.txt");
  const casedFile = changed(({ normalizer }) => (normalizer["lowercase"] = false));
  expect(await differences(texts, casedFile, cased)).toEqual([]);
});

test("a tokenizer that is not BERT's is refused with what is odd in it", () => {
  const read = (change: (file: TokenizerFile) => void) => () =>
    readTokenizerJson("ask", changed(change), "m/tokenizer.json");
  expect(read(({ model }) => (model["type"] = "BPE"))).toThrow("ask: the tokenizer is not BERT's: model.type: ");
  expect(read((file) => (file.normalizer["type"] = "Lowercase"))).toThrow("normalizer.type: ");
  expect(read((file) => (file.pre_tokenizer = { type: "ByteLevel" }))).toThrow("pre_tokenizer.type: ");
  expect(read((file) => (file.post_processor = null))).toThrow('frames a pair as "A B", expected "[CLS]:0 A:0');
  expect(read(({ model }) => delete (model["vocab"] as Record<string, number>)["[CLS]"])).not.toThrow();
  expect(read((file) => Object.assign(file.added_tokens[0] as object, { single_word: true }))).toThrow("single_word");
  expect(read((file) => (file.added_tokens = [{ id: 0, content: "" }]))).toThrow("added_tokens.0.content");
  expect(() => readTokenizerJson("ask", "{", "m/tokenizer.json")).toThrow(encoderRemedy);
  expect(() => readVocabulary("ask", "a\nb\n", {}, "vocab.txt")).toThrow('the vocabulary has no token "[CLS]"');
});

test("an early file that names no model type is read as WordPiece", () => {
  const file = changed(({ model }) => delete model["type"]);
  expect(readTokenizerJson("ask", file, "tokenizer.json").clsId).toBe(fixtureTokenizer().clsId);
});
