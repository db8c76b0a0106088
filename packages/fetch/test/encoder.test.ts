import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readEncoderText } from "../src/encoder/check.ts";
import { readPytorchTensors } from "../src/encoder/pytorch.ts";
import { tokenizerFromVocabulary } from "../src/encoder/wordpiece.ts";
import { tokenizerOf } from "../src/encoder/write.ts";
import { temporaryFolder, writeFiles } from "./support.ts";

// All made by torch 2.13.0 and transformers 4.57.6.
const fixtures = join(import.meta.dirname, "fixtures");

describe.each(["zip.bin", "legacy.bin"])("a state dict in the format of %s", (name) => {
  test("has its tensors, floating-point ones as float32, views by their offset, whole numbers left out", async () => {
    const tensors = await readPytorchTensors(join(fixtures, name));
    expect([...tensors].map(([key, { shape, data }]) => [key, shape, [...data]])).toEqual([
      // arange(12) / 4
      ["bert.embeddings.word_embeddings.weight", [4, 3], Array.from({ length: 12 }, (_, i) => i / 4)],
      ["bert.embeddings.LayerNorm.gamma", [3], [1.5, -2, 0.25]],
      ["half", [1, 2], [1, -0.5]],
      ["scalar", [], [7]],
      // arange(6)[2:5]
      ["view", [3], [2, 3, 4]],
    ]);
  });
});

test("a transposed matrix, as TensorFlow's converter left them, is read row by row", async () => {
  // arange(6).reshape(2, 3).t()
  const tensors = await readPytorchTensors(join(fixtures, "strided.bin"));
  expect(tensors.get("a")).toEqual({ shape: [3, 2], data: Float32Array.of(0, 3, 1, 4, 2, 5) });
});

test("a parameter is its tensor", async () => {
  expect([...(await readPytorchTensors(join(fixtures, "parameter.bin"))).keys()]).toEqual(["w"]);
});

test("whatever is no tensor is refused by name, and nothing of it runs", async () => {
  const reading = (name: string) => readPytorchTensors(join(fixtures, name));
  // The pickle calls os.system.
  await expect(reading("evil.bin")).rejects.toThrow("which is not read and not run: the name posix.system");
  await expect(reading("other-value.bin")).rejects.toThrow("epoch is no tensor");
  await expect(reading("vocab.txt")).rejects.toThrow("it holds something else than tensors");
});

test("a vocabulary becomes the tokenizer.json that transformers saves for it, cased or not", async () => {
  const vocabulary = await readFile(join(fixtures, "vocab.txt"), "utf8");
  for (const [name, do_lower_case] of [
    ["cased", false],
    ["uncased", true],
  ] as const) {
    const expected = await readFile(join(fixtures, `tokenizer-${name}.json`), "utf8");
    expect(tokenizerFromVocabulary(vocabulary, { do_lower_case }).json).toBe(expected);
  }
});

test("without a config, capital letters in the vocabulary make it cased", () => {
  const special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  expect(tokenizerFromVocabulary(`${special}rhine\nThe`, {}).lowercase).toBe(false);
  expect(tokenizerFromVocabulary(`${special}rhine\nthe\n`, {}).lowercase).toBe(true);
  expect(() => tokenizerFromVocabulary("rhine\n[UNK]", {})).toThrow("vocab.txt has no [PAD], [CLS], [SEP], [MASK]");
});

/** The tokenizer.json made of the fixture's vocab.txt beside these files. */
async function tokenizerBeside(files: Readonly<Record<string, object>>) {
  const folder = await temporaryFolder();
  await writeFiles(
    folder,
    Object.fromEntries(Object.entries(files).map(([name, json]) => [name, JSON.stringify(json)])),
  );
  const beside = Object.keys(files).map((name) => [name, { path: join(folder, name), origin: name }] as const);
  const vocabulary = { path: join(fixtures, "vocab.txt"), origin: "enc/vocab.txt" };
  return tokenizerOf(new Map([["vocab.txt", vocabulary], ...beside]));
}

test("a vocab.txt of a tokenizer that divides words another way than BERT's is refused, whichever file says so", async () => {
  const refusal = (name: string) =>
    `fetch: the tokenizer of enc/vocab.txt is not BERT's but ${name}, which is not read. ` +
    "Take an encoder with tokenizer.json, or with BERT's tokenizer.";
  // As cl-tohoku's: MeCab divides into words.
  const japanese = { tokenizer_class: "BertJapaneseTokenizer", word_tokenizer_type: "mecab" };
  for (const name of ["tokenizer_config.json", "config.json"]) {
    await expect(tokenizerBeside({ [name]: japanese })).rejects.toThrow(refusal("BertJapaneseTokenizer"));
    await expect(tokenizerBeside({ [name]: { word_tokenizer_type: "mecab" } })).rejects.toThrow(
      refusal("one with word_tokenizer_type mecab"),
    );
  }
  await expect(tokenizerBeside({ "tokenizer_config.json": { do_basic_tokenize: false } })).rejects.toThrow(
    refusal("one with do_basic_tokenize false"),
  );
  const berts = { tokenizer_class: "BertTokenizerFast", do_basic_tokenize: true, do_lower_case: false };
  const { json } = await tokenizerBeside({ "tokenizer_config.json": berts, "config.json": { tokenizer_class: null } });
  expect(json).toBe(await readFile(join(fixtures, "tokenizer-cased.json"), "utf8"));
});

test("words added to a slow tokenizer stay, with their ids, which follow the vocabulary's", async () => {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: true, special: false };
  const special = { ...flags, normalized: false, special: true };
  // The vocabulary has 15 tokens, [CLS] is number 3.
  const decoder = { 3: { content: "[CLS]", ...special }, 15: { content: "COVID-19", ...flags } };
  const { json } = await tokenizerBeside({ "tokenizer_config.json": { added_tokens_decoder: decoder } });
  const { added_tokens } = JSON.parse(json) as { added_tokens: { id: number; content: string }[] };
  expect(added_tokens.map(({ id, content }) => [id, content])).toEqual([
    ...[[0, "[PAD]"] as const, [2, "[UNK]"] as const, [3, "[CLS]"] as const, [4, "[SEP]"] as const],
    ...[[5, "[MASK]"] as const, [15, "COVID-19"] as const],
  ]);
  expect(added_tokens.at(-1)).toEqual({ id: 15, content: "COVID-19", ...flags });
  expect(added_tokens[2]).toEqual({ id: 3, content: "[CLS]", ...special });
  // The library would number it 15; "rhine" is 8.
  for (const [id, content, own] of [
    [16, "COVID-19", 15],
    [15, "rhine", 8],
  ] as const) {
    const moved = { added_tokens_decoder: { [id]: { content, ...flags } } };
    await expect(tokenizerBeside({ "tokenizer_config.json": moved })).rejects.toThrow(
      `enc/vocab.txt makes no tokenizer: tokenizer_config.json gives the added token "${content}" id ${id}, expected ${own}`,
    );
  }
});

test("words in added_tokens.json alone are not lost in silence", async () => {
  // "rhine" is in the vocabulary.
  await tokenizerBeside({ "added_tokens.json": { rhine: 8 } });
  await expect(tokenizerBeside({ "added_tokens.json": { rhine: 8, "COVID-19": 15 } })).rejects.toThrow(
    'fetch: added_tokens.json has "COVID-19", which vocab.txt has not. Load the tokenizer with Python\'s AutoTokenizer and ' +
      "save it, which writes tokenizer.json. (added_tokens.json)",
  );
});

test("a byte order mark in an encoder's file is said by fetch, not met by tokenize or by Python", async () => {
  const folder = await temporaryFolder();
  const vocabulary = await readFile(join(fixtures, "vocab.txt"), "utf8");
  await writeFiles(folder, { "tokenizer.json": "\ufeff{}", "vocab.txt": `\ufeff[unused0]\n${vocabulary}` });
  const own = (name: string) => ({ path: join(folder, name), origin: name });
  const problem = (name: string) => `fetch: ${name} begins with a byte order mark. Save it as UTF-8 without one.`;
  await expect(readEncoderText(join(folder, "tokenizer.json"), "tokenizer.json")).rejects.toThrow(
    problem("tokenizer.json"),
  );
  await expect(tokenizerOf(new Map([["vocab.txt", own("vocab.txt")]]))).rejects.toThrow(problem("vocab.txt"));
});
