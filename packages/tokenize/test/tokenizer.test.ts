import { encoderRemedy, type TokenizedText } from "@bertqa/answers";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadTokenizer, requireOffsets } from "../src/tokenizer.ts";
import { fixtureEncoder } from "./helpers.ts";

const json = readFileSync(join(fixtureEncoder, "tokenizer.json"), "utf8");
const tokens = readFileSync(join(fixtureEncoder, "vocab.txt"), "utf8").split("\n");

async function encode(text: string) {
  const tokenizer = await loadTokenizer(json, "tokenizer.json");
  const [encoded] = await tokenizer.encode([text]);
  const { ids, startCodePoints, endCodePoints } = encoded as TokenizedText;
  return [...ids].map((id, i) => [tokens[id], [...text].slice(startCodePoints[i], endCodePoints[i]).join("")]);
}

test.each([
  ["an accent is stripped from the token, not from its slice", "Zoë", [["zoe", "Zoë"]]],
  [
    "a combining mark inside a token is in its slice; one at its end is not, as in the reference",
    "to\u0308wer Zoe\u0308s",
    [
      ["tower", "to\u0308wer"],
      ["zoe", "Zoe"],
      ["##s", "s"],
    ],
  ],
  [
    "each Chinese character is a token",
    "北京",
    [
      ["北", "北"],
      ["京", "京"],
    ],
  ],
  [
    "positions after an astral character count it once",
    "📷 clef",
    [
      ["📷", "📷"],
      ["clef", "clef"],
    ],
  ],
  [
    "an unknown astral character is [UNK], with its slice",
    "🦀 tower",
    [
      ["[UNK]", "🦀"],
      ["tower", "tower"],
    ],
  ],
  ["zero-width characters vanish from the token and stay in the slice", "to\u200bwer", [["tower", "to\u200bwer"]]],
  [
    "control characters vanish; a tab parts words",
    "to\u0007wer\tis",
    [
      ["tower", "to\u0007wer"],
      ["is", "is"],
    ],
  ],
  [
    "## in a text is punctuation, never a word piece",
    "##ing",
    [
      ["#", "#"],
      ["#", "#"],
      ["in", "in"],
      ["##g", "g"],
    ],
  ],
  [
    "a special token's name in a text is that token",
    "the [SEP]",
    [
      ["the", "the"],
      ["[SEP]", "[SEP]"],
    ],
  ],
  [
    "a Hangul syllable is taken apart, each part with the syllable's slice",
    "김",
    [
      ["ᄀ", "김"],
      ["##ᅵ", "김"],
      ["##ᆷ", "김"],
    ],
  ],
  ["a text of control characters has no token", "\u0000\u200b\u0007", []],
  [
    "a lone surrogate counts as one character and vanishes",
    "to\ud800wer is",
    [
      ["tower", "to\ud800wer"],
      ["is", "is"],
    ],
  ],
])("%s", async (_, text, expected) => {
  expect(await encode(text)).toEqual(expected);
});

test("a word of 100 characters is cut into pieces, one of 101 is unknown", async () => {
  // "x" then 99 times "##x"; WordPiece gives up above max_input_chars_per_word = 100.
  expect(await encode("x".repeat(100))).toHaveLength(100);
  expect(await encode("x".repeat(101))).toEqual([["[UNK]", "x".repeat(101)]]);
});

test("the tokenizer's own padding and truncation are put aside", async () => {
  // The fixture pads and cuts to 16.
  expect(await encode("the")).toHaveLength(1);
  expect(await encode("the ".repeat(40))).toHaveLength(40);
});

test("ids alone are the same ids", async () => {
  const tokenizer = await loadTokenizer(json, "tokenizer.json");
  const text = "The Große Straße is long.";
  expect(await tokenizer.encodeIds([text])).toEqual((await tokenizer.encode([text])).map(({ ids }) => ids));
});

test("a tokenizer that is not BERT's is refused by name", async () => {
  const changed = (change: (tokenizer: Record<string, unknown>) => void) => {
    const value = JSON.parse(json) as Record<string, unknown>;
    change(value);
    return loadTokenizer(JSON.stringify(value), "enc/tokenizer.json");
  };
  const remedied = (problem: string) => new RegExp(`${problem}: .*Choose an encoder of model_type bert`);
  const bpe = { type: "BPE", vocab: { a: 0 }, merges: [] };
  await expect(changed((t) => (t["model"] = bpe))).rejects.toThrow(
    `tokenize: the tokenizer's model is BPE, expected WordPiece. ${encoderRemedy}.`,
  );
  await expect(changed((t) => (t["post_processor"] = null))).rejects.toThrow('frames a pair as "one two"');
  const sep = ["[SEP]", 4];
  const roberta = { type: "RobertaProcessing", sep, cls: ["[CLS]", 2], trim_offsets: true, add_prefix_space: false };
  await expect(changed((t) => (t["post_processor"] = roberta))).rejects.toThrow("expected");
  await expect(changed((t) => delete t["model"])).rejects.toThrow(
    `the tokenizer has no model. ${encoderRemedy}. (enc/tokenizer.json)`,
  );
  await expect(changed((t) => (t["normalizer"] = { type: "Unheard" }))).rejects.toThrow(
    remedied("cannot read the tokenizer"),
  );
  await expect(loadTokenizer(json.slice(0, 99), "enc/tokenizer.json")).rejects.toThrow(remedied("not valid JSON"));
});

test("a regular expression in a tokenizer is refused before any text meets it, wherever it stands", async () => {
  const load = (change: object) =>
    loadTokenizer(JSON.stringify({ ...(JSON.parse(json) as object), ...change }), "enc/tokenizer.json");
  const { normalizer } = JSON.parse(json) as { normalizer: object };
  const catastrophic = { type: "Replace", pattern: { Regex: "(a|a|aa)*b$" }, content: "" };
  const split = { type: "Split", pattern: { Regex: "(x+x+)+y" }, behavior: "Isolated", invert: false };
  for (const change of [
    { normalizer: { type: "Sequence", normalizers: [normalizer, catastrophic] } },
    { pre_tokenizer: { type: "Sequence", pretokenizers: [split] } },
  ]) {
    await expect(load(change)).rejects.toThrow(
      "tokenize: the tokenizer has a regular expression, which BERT's have not. Choose an encoder of model_type bert",
    );
  }
  const literal = { type: "Replace", pattern: { String: "(a|a|aa)*b$" }, content: "" };
  // It is not BERT's all the same.
  await expect(load({ normalizer: { type: "Sequence", normalizers: [literal, normalizer] } })).rejects.toThrow(
    'normalizer.type: Invalid input: expected "BertNormalizer"',
  );
});

test("what the library reads and nobody who asks the trained model does is refused before training", async () => {
  const { added_tokens, ...file } = JSON.parse(json) as { added_tokens: object[] };
  const load = (change: object) => loadTokenizer(JSON.stringify({ ...file, added_tokens, ...change }), "enc/t.json");
  const lowercasing = [{ type: "NFD" }, { type: "Lowercase" }, { type: "StripAccents" }];
  const flags = { lstrip: false, rstrip: false, normalized: true, special: false };
  const covid = { id: tokens.length - 1, content: "covid", single_word: true, ...flags };
  for (const [change, problem] of [
    [
      { normalizer: { type: "Sequence", normalizers: lowercasing } },
      'normalizer.type: Invalid input: expected "BertNormalizer"',
    ],
    [{ pre_tokenizer: { type: "Whitespace" } }, 'pre_tokenizer.type: Invalid input: expected "BertPreTokenizer"'],
    [
      { added_tokens: [...added_tokens, covid] },
      `added_tokens.${added_tokens.length}.single_word: Invalid input: expected false`,
    ],
  ] as const) {
    await expect(load(change)).rejects.toThrow(
      `tokenize: the tokenizer is not BERT's: ${problem}. ${encoderRemedy}. (enc/t.json)`,
    );
  }
});

test("an old file that names no model type, as early published ones, is read as WordPiece", async () => {
  const value = JSON.parse(json) as { model: { type?: string } };
  delete value.model.type;
  expect((await loadTokenizer(JSON.stringify(value), "tokenizer.json")).clsId).toBe(tokens.indexOf("[CLS]"));
});

test("encodings without offsets, out of order, or short of the text are refused", () => {
  const check = (...spans: [number, number][]) =>
    requireOffsets(
      {
        ids: new Int32Array(spans.length),
        startCodePoints: Int32Array.from(spans, ([start]) => start),
        endCodePoints: Int32Array.from(spans, ([, end]) => end),
      },
      "ab c",
      "tokenizer.json",
    );
  expect(() => check([0, 2], [3, 4])).not.toThrow();
  expect(() => check([0, 0], [0, 0])).toThrow('gives no usable offsets: "ab c" has [[0,0],[0,0]]');
  expect(() => check([3, 4], [0, 2])).toThrow("no usable offsets");
  expect(() => check([0, 2])).toThrow("no usable offsets");
  expect(() => check()).toThrow("no usable offsets");
});
