import { z } from "zod";
import { readEncoderJson, type NamedText } from "./check.ts";

const tokenizerSchema = z.object({
  // Tokenize refuses another normalizer; nothing is said of it here.
  normalizer: z
    .object({
      type: z.literal("BertNormalizer"),
      lowercase: z.boolean().default(true),
      strip_accents: z.boolean().nullish(),
      handle_chinese_chars: z.boolean().default(true),
    })
    .optional()
    .catch(undefined),
  added_tokens: z.array(z.object({ content: z.string() })).catch([]),
  model: z.object({ vocab: z.record(z.string(), z.unknown()) }),
});

/** Python's transformers has these names as defaults, transformers.js has none. */
const tokenNames = {
  unk_token: "[UNK]",
  sep_token: "[SEP]",
  pad_token: "[PAD]",
  cls_token: "[CLS]",
  mask_token: "[MASK]",
};

/** What Python's `BertTokenizerFast` takes where `tokenizer_config.json` does not say. */
const pythonDefaults: Readonly<Record<string, unknown>> = {
  do_lower_case: true,
  strip_accents: null,
  tokenize_chinese_chars: true,
};

/**
 * What `tokenizer_config.json` must say so that others read the tokens that `tokenizer.json` gives here: in Python's
 * transformers its fields beat that file's normalizer, absent ones too, and transformers.js takes no tokenizer without it. Both
 * cut texts at `model_max_length`; without it they give the model more tokens than it has positions.
 *
 * @param given the encoder's own, whose other fields stay
 * @param maxPositions of the encoder
 * @returns the whole content, and which fields were set; none where the given one says all of it
 * @throws BertqaError if one of them cannot be read
 */
export function completeTokenizerConfig(tokenizer: NamedText, given: NamedText | undefined, maxPositions: number) {
  const config = given ? readEncoderJson(given, z.record(z.string(), z.unknown())) : {};
  const { normalizer, added_tokens, model } = readEncoderJson(tokenizer, tokenizerSchema);
  const isToken = (name: string) =>
    Object.hasOwn(model.vocab, name) || added_tokens.some(({ content }) => content === name);
  const absent = { tokenizer_class: "BertTokenizer", ...tokenNames };
  const decided = normalizer && {
    do_lower_case: normalizer.lowercase,
    strip_accents: normalizer.strip_accents ?? null,
    tokenize_chinese_chars: normalizer.handle_chinese_chars,
  };
  // The older name, which Python still reads. Some files hold 1e30, Python's word for no limit.
  const givenLength = config["model_max_length"] ?? config["max_len"];
  const length = typeof givenLength === "number" ? Math.min(givenLength, maxPositions) : maxPositions;
  const set = Object.fromEntries<unknown>([
    ...Object.entries(absent).filter(
      ([field, value]) => (config[field] ?? null) === null && (field === "tokenizer_class" || isToken(value)),
    ),
    ...Object.entries(decided ?? {}).filter(
      ([field, value]) => !given || (field in config ? config[field] : pythonDefaults[field]) !== value,
    ),
    ...(config["model_max_length"] === length ? [] : [["model_max_length", length] as const]),
  ]);
  return { config: { ...config, ...set }, set: Object.keys(set) };
}
