import {
  parseDecision,
  readTokenizerJson,
  readVocabulary,
  type Decision,
  type WordPieceTokenizer,
} from "@bertqa/answers";
import { BertqaError } from "@bertqa/squad";
import { z } from "zod";
import type { Precision } from "./question-answering.ts";

/** Version of the export's layout that this package reads. */
const exportFormatVersion = 1;

export const modelFiles: Readonly<Record<Precision, string>> = {
  float32: "onnx/model.onnx",
  int8: "onnx/model_quantized.onnx",
};

/** @throws BertqaError for what is no precision, which code without types may give */
export function modelFileOf(precision: Precision): string {
  if (Object.hasOwn(modelFiles, precision)) return modelFiles[precision];
  const known = Object.keys(modelFiles).join(" or ");
  throw new BertqaError("bertqa", `there is no precision "${precision}", only ${known}`);
}

/** Where an export's files come from: a folder, or an address. */
export interface ExportSource {
  /** The folder or address, for messages. */
  readonly where: string;
  /** A file's bytes; `undefined` where there is none. */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

export interface ExportFiles {
  readonly decision: Decision;
  readonly tokenizer: WordPieceTokenizer;
  /**
   * Checks another file that its reader has, by its bytes or by their sha256.
   *
   * @throws BertqaError if it is not the one that was exported; where the manifest was not copied, there is no telling
   */
  readonly check: (name: string, content: Uint8Array<ArrayBuffer> | string) => Promise<void>;
}

/** sha256 by file name as the manifest gives them; `undefined` where the files were copied without it. */
type Hashes = ReadonlyMap<string, string> | undefined;

const configSchema = z.object({
  model_type: z.literal("bert"),
  vocab_size: z.int().positive(),
  max_position_embeddings: z.int().positive(),
});
const manifestSchema = z.object({
  kind: z.string(),
  formatVersion: z.number(),
  files: z.array(z.object({ path: z.string(), sha256: z.string() })),
});

/**
 * Reads the small files of an export, and checks that they belong together.
 *
 * @throws BertqaError if the folder is no export, or of another format version, or a file is not the one exported
 */
export async function readExport(source: ExportSource): Promise<ExportFiles> {
  const decisionBytes = await source.read("decision.json");
  if (decisionBytes === undefined) {
    throw new BertqaError("bertqa", `${source.where} is no export of bertqa: it has no decision.json`, {
      remedy: "Run npx nx run <pipeline>:export, and give the folder that it prints",
    });
  }
  const hashes = await readHashes(source);
  const files = new Map([["decision.json", decisionBytes]]);
  for (const name of ["config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json"]) {
    const bytes = await source.read(name);
    if (bytes) files.set(name, bytes);
  }
  for (const [name, bytes] of files) await checkHash(source, name, bytes, hashes);
  const texts = new Map([...files].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]));
  const decision = parseDecision(
    "bertqa",
    parseJson(source, "decision.json", texts.get("decision.json")!),
    placeOf(source, "decision.json"),
  );
  const tokenizer = readTokenizer(source, texts);
  checkConfig(source, texts.get("config.json"), decision, tokenizer);
  return { decision, tokenizer, check: (name, content) => checkHash(source, name, content, hashes) };
}

function placeOf(source: ExportSource, name: string): string {
  return `${source.where.replace(/\/$/, "")}/${name}`;
}

function parseJson(source: ExportSource, name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const problem = `${name} is not valid JSON: ${(cause as Error).message}`;
    throw new BertqaError("bertqa", problem, { where: placeOf(source, name), cause });
  }
}

async function readHashes(source: ExportSource): Promise<Hashes> {
  const name = "manifest.json";
  const bytes = await source.read(name);
  if (bytes === undefined) return undefined;
  const { data } = manifestSchema.safeParse(parseJson(source, name, new TextDecoder().decode(bytes)));
  if (data?.kind === "export" && data.formatVersion === exportFormatVersion) {
    return new Map(data.files.map(({ path, sha256 }) => [path, sha256]));
  }
  const got = data ? `an artifact of kind "${data.kind}", format version ${data.formatVersion}` : "no manifest";
  throw new BertqaError("bertqa", `got ${got}, expected an export of format version ${exportFormatVersion}`, {
    remedy: "Export the model again",
    where: placeOf(source, name),
  });
}

/** @param content a file's bytes, or their sha256 where they need not be in memory */
async function checkHash(
  source: ExportSource,
  name: string,
  content: Uint8Array<ArrayBuffer> | string,
  hashes: Hashes,
) {
  if (!hashes) return;
  const sha256 = typeof content === "string" ? content : await sha256Of(content);
  // A file that the manifest does not list was not exported with it.
  if (sha256 === undefined || sha256 === hashes.get(name)) return;
  throw new BertqaError("bertqa", `${name} is not the file that this model was exported with`, {
    remedy: "Copy the whole export again",
    where: placeOf(source, name),
  });
}

/** `undefined` where there is no way to tell: browsers give no hashes to pages that came over plain http. */
async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const subtle = (globalThis.crypto as { subtle?: typeof crypto.subtle } | undefined)?.subtle;
  const digest = await subtle?.digest("SHA-256", bytes);
  return digest && Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function readTokenizer(source: ExportSource, texts: ReadonlyMap<string, string>): WordPieceTokenizer {
  const json = texts.get("tokenizer.json");
  if (json !== undefined) return readTokenizerJson("bertqa", json, placeOf(source, "tokenizer.json"));
  const vocabulary = texts.get("vocab.txt");
  if (vocabulary === undefined) {
    throw new BertqaError("bertqa", `${source.where} has neither tokenizer.json nor vocab.txt`, {
      remedy: "Copy the whole export again",
    });
  }
  const config = texts.get("tokenizer_config.json");
  const parsed = config === undefined ? undefined : parseJson(source, "tokenizer_config.json", config);
  return readVocabulary("bertqa", vocabulary, parsed, placeOf(source, "vocab.txt"));
}

function checkConfig(
  source: ExportSource,
  text: string | undefined,
  { window }: Decision,
  { vocabularySize }: WordPieceTokenizer,
): void {
  const where = placeOf(source, "config.json");
  if (text === undefined) {
    throw new BertqaError("bertqa", "the export has no config.json", { remedy: "Copy the whole export again", where });
  }
  const parsed = configSchema.safeParse(parseJson(source, "config.json", text));
  if (!parsed.success) throw new BertqaError("bertqa", "config.json is not a BERT's", { where });
  const { vocab_size, max_position_embeddings } = parsed.data;
  if (vocabularySize > vocab_size) {
    const problem = `the tokenizer has ${vocabularySize} tokens, the model ${vocab_size}: they belong to different models`;
    throw new BertqaError("bertqa", problem, { remedy: "Copy the whole export again", where });
  }
  if (window.maxTokens > max_position_embeddings) {
    const problem = `decision.json has windows of ${window.maxTokens} tokens, the model ${max_position_embeddings} positions`;
    throw new BertqaError("bertqa", problem, { remedy: "Copy the whole export again", where });
  }
}
