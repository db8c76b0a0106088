import { BertqaError } from "@bertqa/squad";
import { z } from "zod";
import type { AddedToken } from "./added-tokens.ts";
import { WordPieceTokenizer } from "./tokenizer.ts";

/** The remedy for a tokenizer that is not BERT's. */
export const encoderRemedy =
  "Choose an encoder of model_type bert (BERT, MiniLM), with its tokenizer files as published";

const addedTokenSchema = z.object({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  single_word: z.literal(false).default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
});

const isVocabulary = (value: unknown): value is Record<string, number> =>
  typeof value === "object" && value !== null && Object.values(value).every(Number.isSafeInteger);

const tokenizerSchema = z.object({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: z.object({
    type: z.literal("BertNormalizer"),
    clean_text: z.boolean().default(true),
    handle_chinese_chars: z.boolean().default(true),
    strip_accents: z.boolean().nullish(),
    lowercase: z.boolean().default(true),
  }),
  pre_tokenizer: z.object({ type: z.literal("BertPreTokenizer") }),
  model: z.object({
    // Early files of Hugging Face name no type.
    type: z.literal("WordPiece").default("WordPiece"),
    unk_token: z.string().default("[UNK]"),
    continuing_subword_prefix: z.string().default("##"),
    max_input_chars_per_word: z.int().positive().default(100),
    vocab: z.custom<Record<string, number>>(isVocabulary, "expected token ids by token"),
  }),
  post_processor: z.unknown(),
});

/**
 * Reads a `tokenizer.json`. Its padding and truncation are put aside: windows are cut by our own rules.
 *
 * @param json  the file's text
 * @param where the file, for messages
 * @throws BertqaError if it is not a WordPiece tokenizer with BERT's normalizer, or frames a pair another way than
 *   `[CLS] a [SEP] b [SEP]`
 */
export function readTokenizerJson(stage: string, json: string, where: string): WordPieceTokenizer {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new BertqaError(stage, `the tokenizer is not valid JSON: ${(cause as Error).message}`, {
      remedy: encoderRemedy,
      where,
      cause,
    });
  }
  const parsed = tokenizerSchema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new BertqaError(stage, `the tokenizer is not BERT's: ${issues.slice(0, 5).join("; ")}`, {
      remedy: encoderRemedy,
      where,
    });
  }
  const { normalizer, model, added_tokens, post_processor } = parsed.data;
  const vocabulary = new Map(Object.entries(model.vocab));
  const addedTokens = added_tokens.map(toAddedToken);
  const idOf = (token: string) => {
    const id = vocabulary.get(token) ?? addedTokens.find(({ content }) => content === token)?.id;
    if (id !== undefined) return id;
    throw new BertqaError(stage, `the tokenizer has no token "${token}"`, { remedy: encoderRemedy, where });
  };
  requireFrame(stage, post_processor, where);
  return new WordPieceTokenizer({
    vocabulary,
    clsId: idOf("[CLS]"),
    sepId: idOf("[SEP]"),
    unknownId: idOf(model.unk_token),
    continuationPrefix: model.continuing_subword_prefix,
    maxWordLength: model.max_input_chars_per_word,
    normalizer: {
      cleanText: normalizer.clean_text,
      chineseCharacters: normalizer.handle_chinese_chars,
      stripAccents: normalizer.strip_accents ?? normalizer.lowercase,
      lowercase: normalizer.lowercase,
    },
    addedTokens,
  });
}

function toAddedToken(token: z.output<typeof addedTokenSchema>): AddedToken {
  const { id, content, lstrip, rstrip, normalized } = token;
  return { id, content, isNormalized: normalized, stripsLeft: lstrip, stripsRight: rstrip };
}

const pieceSchema = z.union([
  z.object({ SpecialToken: z.object({ id: z.string(), type_id: z.int() }) }),
  z.object({ Sequence: z.object({ id: z.string(), type_id: z.int() }) }),
]);
const postProcessorSchema = z.union([
  z.object({ type: z.literal("BertProcessing") }),
  z.object({ type: z.literal("TemplateProcessing"), pair: z.array(pieceSchema) }),
]);

function requireFrame(stage: string, postProcessor: unknown, where: string): void {
  const expected = "[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1";
  const { data } = postProcessorSchema.safeParse(postProcessor);
  const nameOf = (piece: z.output<typeof pieceSchema>) => {
    const { id, type_id } = "Sequence" in piece ? piece.Sequence : piece.SpecialToken;
    return `${id}:${type_id}`;
  };
  const frame = data?.type === "TemplateProcessing" ? data.pair.map(nameOf).join(" ") : data ? expected : "A B";
  if (frame === expected) return;
  throw new BertqaError(stage, `the tokenizer frames a pair as "${frame}", expected "${expected}"`, {
    remedy: encoderRemedy,
    where,
  });
}

const tokenizerConfigSchema = z.object({
  do_lower_case: z.boolean().default(true),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().default(true),
});
const specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/**
 * Reads a `vocab.txt`, a token a line, as transformers' BertTokenizer does.
 *
 * @param tokenizerConfig content of `tokenizer_config.json`; without it, text is lower-cased, as BertTokenizer's default is
 * @throws BertqaError if `[UNK]`, `[CLS]` or `[SEP]` is missing, or the configuration is none
 */
export function readVocabulary(
  stage: string,
  vocabulary: string,
  tokenizerConfig: unknown,
  where: string,
): WordPieceTokenizer {
  const config = tokenizerConfigSchema.safeParse(tokenizerConfig ?? {});
  if (!config.success)
    throw new BertqaError(stage, "tokenizer_config.json is not a tokenizer's", { remedy: encoderRemedy, where });
  const { do_lower_case: lowercase, strip_accents, tokenize_chinese_chars: chineseCharacters } = config.data;
  const lines = vocabulary.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const ids = new Map(lines.map((line, id) => [line.trimEnd(), id]));
  const idOf = (token: string) => {
    const id = ids.get(token);
    if (id !== undefined) return id;
    throw new BertqaError(stage, `the vocabulary has no token "${token}"`, { remedy: encoderRemedy, where });
  };
  return new WordPieceTokenizer({
    vocabulary: ids,
    clsId: idOf("[CLS]"),
    sepId: idOf("[SEP]"),
    unknownId: idOf("[UNK]"),
    continuationPrefix: "##",
    maxWordLength: 100,
    normalizer: { cleanText: true, chineseCharacters, stripAccents: strip_accents ?? lowercase, lowercase },
    addedTokens: specialTokens
      .filter((token) => ids.has(token))
      .map((content) => toAddedToken(addedTokenSchema.parse({ id: idOf(content), content }))),
  });
}
