import { BertqaError, parseBertConfig, parseJson, type BertConfig } from "@bertqa/core";
import { parseDataJson } from "@bertqa/squad";
import { readFile } from "node:fs/promises";
import { z } from "zod";

/** A file's text, and where it comes from, for messages. */
export interface NamedText {
  readonly text: string;
  readonly origin: string;
}

/** The parts of `config.json` that show whether bertqa can use an encoder at all. */
const encoderConfigSchema = z.looseObject({ model_type: z.string(), vocab_size: z.int().positive() });

/** The parts of `tokenizer.json` that show a vocabulary. */
const tokenizerSchema = z.object({
  model: z.object({
    type: z.string().optional(),
    // Unigram's is a list: its type says what it is.
    vocab: z.preprocess((vocab) => (Array.isArray(vocab) ? {} : vocab), z.record(z.string(), z.int().nonnegative())),
  }),
});

/** @throws BertqaError if an encoder's `config.json` or `tokenizer.json` cannot be read, or it cannot be fine-tuned here */
export function checkEncoder(config: NamedText, tokenizer: NamedText): BertConfig {
  const read = readEncoderJson(config, encoderConfigSchema);
  const problem = findEncoderProblem(read, readEncoderJson(tokenizer, tokenizerSchema));
  // What train would refuse, after what comes before it.
  if (!problem) return parseBertConfig(read, "fetch", config.origin);
  throw new BertqaError("fetch", `the encoder does not fit: ${problem}`, {
    remedy: "Take a BERT encoder with its own tokenizer.json or vocab.txt: see encoder.sources",
    where: config.origin,
  });
}

/**
 * Reads a file of an encoder. A byte order mark is refused: the file goes on as it is, to tokenizers and to Python, which take none.
 *
 * @throws BertqaError if the file is not UTF-8, or begins with a byte order mark
 */
export async function readEncoderText(path: string, origin: string): Promise<NamedText> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (cause) {
    throw unreadable(
      origin,
      cause instanceof TypeError ? "is not UTF-8" : `cannot be read: ${(cause as Error).message}`,
      cause,
    );
  }
  if (text.startsWith("\ufeff")) {
    const remedy = "Save it as UTF-8 without one";
    throw new BertqaError("fetch", `${origin} begins with a byte order mark`, { remedy });
  }
  return { text, origin };
}

/** @throws BertqaError if the text is not JSON, or breaks the schema */
export function readEncoderJson<T>({ text, origin }: NamedText, schema: z.ZodType<T>): T {
  try {
    // Every later reader of this file would overflow its stack.
    parseDataJson(text);
  } catch (cause) {
    throw unreadable(origin, `cannot be read: ${(cause as Error).message}`, cause);
  }
  return parseJson("fetch", text, origin, schema);
}

function unreadable(origin: string, problem: string, cause: unknown): BertqaError {
  return new BertqaError("fetch", `${origin} ${problem}`, { remedy: "Fix the file and run again", cause });
}

/** Says why an encoder cannot be fine-tuned here, or nothing. */
function findEncoderProblem(
  config: z.output<typeof encoderConfigSchema>,
  tokenizer: z.output<typeof tokenizerSchema>,
): string | undefined {
  if (config.model_type !== "bert") {
    return `config.json has model_type ${JSON.stringify(config.model_type)}, expected "bert"`;
  }
  const { type, vocab } = tokenizer.model;
  // Multilingual sentence encoders are BERTs with XLM-R's tokenizer.
  if (type !== undefined && type !== "WordPiece") {
    return `tokenizer.json has a model of type ${JSON.stringify(type)}, expected "WordPiece"`;
  }
  const ids = Object.values(vocab);
  if (ids.length === 0) return "tokenizer.json has an empty vocabulary";
  const largest = ids.reduce((a, b) => Math.max(a, b));
  if (largest < config.vocab_size) return undefined;
  return `tokenizer.json has token ids up to ${largest}, but config.json has vocab_size ${config.vocab_size}`;
}
