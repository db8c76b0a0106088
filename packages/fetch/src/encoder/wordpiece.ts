import { z } from "zod";

/** A token that is found in texts before words are divided, as `tokenizer.json` has it but for the id. */
const addedTokenSchema = z.object({
  content: z.string().min(1),
  single_word: z.boolean(),
  lstrip: z.boolean(),
  rstrip: z.boolean(),
  normalized: z.boolean(),
  special: z.boolean(),
});

/** What says which tokenizer a `vocab.txt` is for, in `tokenizer_config.json` or `config.json`. */
export const tokenizerKindSchema = z.object({
  tokenizer_class: z.string().nullish(),
  word_tokenizer_type: z.string().nullish(),
  do_basic_tokenize: z.boolean().nullish(),
});
type TokenizerKind = z.output<typeof tokenizerKindSchema>;

/** What decides how BERT's tokenizer treats a text, as `tokenizer_config.json` has it; added tokens by id. */
export const tokenizerConfigSchema = tokenizerKindSchema.extend({
  do_lower_case: z.boolean().optional(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().optional(),
  added_tokens_decoder: z.record(z.string().regex(/^\d+$/), addedTokenSchema).optional(),
});
type BertTokenizerConfig = z.output<typeof tokenizerConfigSchema>;

/** The tokenizer for which a `vocab.txt` is, where words are divided another way than by BERT's; nothing where they are not. */
export function otherTokenizer({ tokenizer_class, word_tokenizer_type, do_basic_tokenize }: TokenizerKind) {
  if (tokenizer_class && !/^(Bert|DistilBert|Electra)Tokenizer(Fast)?$/.test(tokenizer_class)) return tokenizer_class;
  if (word_tokenizer_type && word_tokenizer_type !== "basic")
    return `one with word_tokenizer_type ${word_tokenizer_type}`;
  return do_basic_tokenize === false ? "one with do_basic_tokenize false" : undefined;
}

const specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/**
 * Makes the `tokenizer.json` that transformers' `BertTokenizerFast(vocab_file=…)` saves, from a `vocab.txt` of a token a
 * line.
 *
 * Where the config does not say whether texts are lower-cased, the vocabulary does: one with capital letters is cased.
 *
 * @throws Error naming the special tokens that the vocabulary lacks, or an added token with an id that is not its own
 */
export function tokenizerFromVocabulary(
  vocabulary: string,
  config: BertTokenizerConfig,
): { json: string; lowercase: boolean } {
  const tokens = vocabulary.replace(/\r?\n$/, "").split(/\r?\n/);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const missing = specialTokens.filter((token) => !Object.hasOwn(vocab, token));
  if (missing.length > 0) throw new Error(`vocab.txt has no ${missing.join(", ")}`);
  const lowercase = config.do_lower_case ?? !tokens.some((token) => /^(##)?\p{Lu}\p{Ll}*$/u.test(token));
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)];
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocab, tokens.length, config.added_tokens_decoder ?? {}),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars ?? true,
      strip_accents: config.strip_accents ?? null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), special("[SEP]", 1)],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [vocab[id] as number], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
  return { json: JSON.stringify(tokenizer), lowercase };
}

/** The special tokens and those of the config, by id. New ones must follow the vocabulary: the library numbers them itself. */
function addedTokens(
  vocab: Readonly<Record<string, number>>,
  vocabularySize: number,
  decoder: NonNullable<BertTokenizerConfig["added_tokens_decoder"]>,
) {
  const given = Object.entries(decoder).map(([id, fields]) => ({ id: Number(id), ...fields }));
  const known = specialTokens
    .filter((special) => !given.some(({ content }) => content === special))
    .map((content) => ({ id: vocab[content] as number, content, ...addedTokenFlags }));
  let nextId = vocabularySize;
  return [...known, ...given]
    .toSorted((a, b) => a.id - b.id)
    .map((token) => {
      const expected = Object.hasOwn(vocab, token.content) ? (vocab[token.content] as number) : nextId++;
      if (token.id === expected) return token;
      const name = JSON.stringify(token.content);
      throw new Error(`tokenizer_config.json gives the added token ${name} id ${token.id}, expected ${expected}`);
    });
}

const addedTokenFlags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
