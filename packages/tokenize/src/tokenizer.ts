import { encoderRemedy, readTokenizerJson, type FrameIds, type TokenizedText } from "@bertqa/answers";
import { BertqaError } from "@bertqa/core";
import { createRequire } from "node:module";
import type { Encoding, Tokenizer } from "tokenizers";
import { z } from "zod";

/** A BERT tokenizer that knows where each token came from. */
export interface BertTokenizer extends FrameIds {
  readonly unknownId: number;
  readonly vocabularySize: number;
  /** Token ids alone, int32 [T] a text. */
  encodeIds(texts: readonly string[]): Promise<Int32Array[]>;
  encode(texts: readonly string[]): Promise<TokenizedText[]>;
}

const require = createRequire(import.meta.url);

/** Version of the tokenizers package, which decides the ids. */
export function tokenizersVersion(): string {
  return (require("tokenizers/package.json") as { version: string }).version;
}

/**
 * Loads a `tokenizer.json`. Its own padding and truncation are put aside: windows are cut here.
 *
 * @param json the file's text
 * @param where the file, for messages
 * @param workers threads of the Rust library; its pool is made once a process, so the first call decides
 * @throws BertqaError if the library cannot read it, its model is not WordPiece, it does not frame texts as
 *   `[CLS] a [SEP] b [SEP]`, its encodings say nothing of where tokens came from, or it has parts that BERT's have not
 */
export async function loadTokenizer(json: string, where: string, workers?: number): Promise<BertTokenizer> {
  const unknownToken = readWordPiece(json, where);
  if (workers !== undefined) {
    process.env["RAYON_NUM_THREADS"] = String(workers);
    process.env["TOKENIZERS_PARALLELISM"] = "true";
  }
  const library = require("tokenizers") as typeof import("tokenizers");
  let tokenizer: Tokenizer;
  try {
    tokenizer = library.Tokenizer.fromString(json);
  } catch (cause) {
    const problem = `tokenizers ${tokenizersVersion()} cannot read the tokenizer: ${(cause as Error).message}`;
    throw new BertqaError("tokenize", problem, { remedy: encoderRemedy, where, cause });
  }
  tokenizer.disablePadding();
  tokenizer.disableTruncation();
  const special = await requireBertFrame(tokenizer, where);
  const encodings = (texts: readonly string[]) => tokenizer.encodeBatch([...texts], { addSpecialTokens: false });
  const encode = async (texts: readonly string[]) => (await encodings(texts)).map(toTokenizedText);
  const probe = "Where is it?";
  requireOffsets((await encode([probe]))[0] as TokenizedText, probe, where);
  // The library takes more than those who ask the trained model do: what they would refuse is refused before it is trained.
  readTokenizerJson("tokenize", json, where);
  return {
    ...special,
    unknownId: tokenizer.tokenToId(unknownToken) ?? -1,
    vocabularySize: tokenizer.getVocabSize(true),
    encodeIds: async (texts) => (await encodings(texts)).map((encoding) => Int32Array.from(encoding.getIds())),
    encode,
  };
}

function toTokenizedText(encoding: Encoding): TokenizedText {
  const ids = Int32Array.from(encoding.getIds());
  const startCodePoints = new Int32Array(ids.length);
  const endCodePoints = new Int32Array(ids.length);
  // A plain loop: half of a passage's cost is here.
  const offsets = encoding.getOffsets();
  for (let token = 0; token < ids.length; token++) {
    const pair = offsets[token] as number[];
    startCodePoints[token] = pair[0] as number;
    endCodePoints[token] = pair[1] as number;
  }
  return { ids, startCodePoints, endCodePoints };
}

/** Depth to which a tokenizer is looked through; BERT's has 6. */
const deepestLook = 30;

/** Whether a component of a tokenizer has a pattern `{"Regex": …}`. Strings as patterns are taken to the letter. */
function hasRegularExpression(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth > deepestLook) return true;
  return Object.entries(value).some(([key, each]) => key === "Regex" || hasRegularExpression(each, depth + 1));
}

const modelSchema = z.object({
  model: z.object({ type: z.string().optional(), unk_token: z.string().default("[UNK]") }).loose(),
});

/** @returns the name of the unknown token */
function readWordPiece(json: string, where: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    const problem = `the tokenizer is not valid JSON: ${(cause as Error).message}`;
    throw new BertqaError("tokenize", problem, { remedy: encoderRemedy, where, cause });
  }
  const parsed = modelSchema.safeParse(value);
  if (!parsed.success)
    throw new BertqaError("tokenize", "the tokenizer has no model", { remedy: encoderRemedy, where });
  const { model } = parsed.data;
  const { normalizer, pre_tokenizer, post_processor, decoder } = value as Record<string, unknown>;
  // Its library's engine backtracks: one pattern and one passage could take longer than anybody waits, in a thread of Rust that
  // nothing stops. BERT's tokenizers have none.
  if (hasRegularExpression([normalizer, pre_tokenizer, post_processor, decoder])) {
    const problem = "the tokenizer has a regular expression, which BERT's have not";
    throw new BertqaError("tokenize", problem, { remedy: encoderRemedy, where });
  }
  // Early files of Hugging Face name no type; only WordPiece has this key.
  const type = model.type ?? ("max_input_chars_per_word" in model ? "WordPiece" : "of no known type");
  if (type === "WordPiece") return model.unk_token;
  throw new BertqaError("tokenize", `the tokenizer's model is ${type}, expected WordPiece`, {
    remedy: encoderRemedy,
    where,
  });
}

/** Windows are put together from separately encoded texts, which holds for BERT's frame only: try it on a pair. */
async function requireBertFrame(tokenizer: Tokenizer, where: string): Promise<{ clsId: number; sepId: number }> {
  const [a, b] = ["one", "two"];
  const framed = await tokenizer.encode(a, b);
  const [partA, partB] = await tokenizer.encodeBatch([a, b], { addSpecialTokens: false });
  const idsA = partA?.getIds() ?? [];
  const idsB = partB?.getIds() ?? [];
  const clsId = tokenizer.tokenToId("[CLS]");
  const sepId = tokenizer.tokenToId("[SEP]");
  const expected = JSON.stringify([[clsId, ...idsA, sepId, ...idsB, sepId], typesOf(idsA.length, idsB.length)]);
  if (clsId !== null && sepId !== null && expected === JSON.stringify([framed.getIds(), framed.getTypeIds()])) {
    return { clsId, sepId };
  }
  const problem = `the tokenizer frames a pair as "${framed.getTokens().join(" ")}", expected "[CLS] a [SEP] b [SEP]"`;
  throw new BertqaError("tokenize", `${problem} with types 0 and 1`, {
    remedy: encoderRemedy,
    where,
  });
}

function typesOf(tokensA: number, tokensB: number): number[] {
  return [...Array<number>(tokensA + 2).fill(0), ...Array<number>(tokensB + 1).fill(1)];
}

/**
 * Answers are found by the tokens' offsets: without them no question could be labelled.
 *
 * @throws BertqaError unless the tokens cover the first and last character of `probe`, in order, none of them empty
 */
export function requireOffsets(tokens: TokenizedText, probe: string, where: string): void {
  const { startCodePoints: starts, endCodePoints: ends } = tokens;
  const inOrder = starts.every((start, token) => start < (ends[token] as number) && start >= (starts[token - 1] ?? 0));
  if (inOrder && starts[0] === 0 && ends.at(-1) === probe.length) return;
  const got = JSON.stringify([...starts].map((start, token) => [start, ends[token]]));
  throw new BertqaError("tokenize", `the tokenizer gives no usable offsets: "${probe}" has ${got}`, {
    remedy: "Choose an encoder with a fast tokenizer, with its tokenizer.json as published",
    where,
  });
}
