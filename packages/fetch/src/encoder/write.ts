import {
  BertqaError,
  datasetLayout,
  encoderFiles,
  sha256OfFile,
  writeSafetensors,
  type ArtifactDraft,
  type Reporter,
} from "@bertqa/core";
import { constants } from "node:fs";
import { chmod, copyFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { FetchedFile } from "../download.ts";
import { checkEncoder, readEncoderJson, readEncoderText } from "./check.ts";
import { readPytorchTensors } from "./pytorch.ts";
import { completeTokenizerConfig } from "./tokenizer-config.ts";
import { otherTokenizer, tokenizerConfigSchema, tokenizerFromVocabulary, tokenizerKindSchema } from "./wordpiece.ts";

type FetchedFiles = ReadonlyMap<string, FetchedFile>;

/**
 * Writes the encoder into the artifact: its files as they are, `tokenizer.json` made of `vocab.txt` and
 * `model.safetensors` made of `pytorch_model.bin` where it ships only those, and a `tokenizer_config.json` by which others
 * read the same tokens. What is checked and used are the copies.
 *
 * @throws BertqaError if a copy is not the pinned file, or the encoder cannot be used
 */
export async function writeEncoder(files: FetchedFiles, draft: ArtifactDraft, reporter: Reporter): Promise<void> {
  const copies = new Map<string, string>();
  for (const name of encoderFiles) {
    const file = files.get(name);
    if (file) copies.set(name, await copyChecked(file, await pathOf(draft, name)));
  }
  if (!copies.has("tokenizer.json")) copies.set("tokenizer.json", await makeTokenizer(files, draft, reporter));
  if (!copies.has("model.safetensors")) await convertWeights(files, draft, reporter);
  const read = (name: string) => readEncoderText(copies.get(name) as string, files.get(name)?.origin ?? name);
  const tokenizer = await read("tokenizer.json");
  const { maxPositions } = checkEncoder(await read("config.json"), tokenizer);
  const given = copies.has("tokenizer_config.json") ? await read("tokenizer_config.json") : undefined;
  const { config, set } = completeTokenizerConfig(tokenizer, given, maxPositions);
  if (set.length === 0) return;
  await writeFile(await pathOf(draft, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  reporter.line(`tokenizer_config.json: set ${set.join(", ")} to fit the encoder`);
}

function pathOf(draft: ArtifactDraft, name: string): Promise<string> {
  return draft.path(`${datasetLayout.encoderFolder}/${name}`);
}

/** The file may be another one since it was checked: another process's, in a cache that both use. */
async function copyChecked({ path, origin, pin }: FetchedFile, copy: string): Promise<string> {
  // A clone where the file system can (btrfs, xfs): no second copy on disk.
  await copyFile(path, copy, constants.COPYFILE_FICLONE);
  // A copy keeps the mode, and a read-only artifact cannot be flushed to disk, nor replaced by Nx. The folder was made by the
  // user's umask.
  await chmod(copy, (await stat(dirname(copy))).mode & 0o666);
  if (pin && (await sha256OfFile(copy)) !== pin.sha256) {
    throw new BertqaError("fetch", `${origin} changed while it was copied`, { remedy: "Run again" });
  }
  return copy;
}

async function makeTokenizer(files: FetchedFiles, draft: ArtifactDraft, reporter: Reporter): Promise<string> {
  const { json, lowercase, isConfigured } = await tokenizerOf(files);
  const copy = await pathOf(draft, "tokenizer.json");
  await writeFile(copy, json);
  const reason = isConfigured ? "tokenizer_config.json says" : "its vocabulary says";
  reporter.line(`tokenizer.json made from vocab.txt, ${lowercase ? "uncased" : "cased"} as ${reason}`);
  return copy;
}

/** A `tokenizer.json` made of `vocab.txt`. @throws BertqaError if that is no vocabulary of BERT's, or another tokenizer's */
export async function tokenizerOf(files: FetchedFiles) {
  const { path, origin } = files.get("vocab.txt") as FetchedFile;
  const config = await readIfThere(files, "tokenizer_config.json", tokenizerConfigSchema);
  for (const kind of [config, await readIfThere(files, "config.json", tokenizerKindSchema)]) {
    const other = otherTokenizer(kind);
    if (!other) continue;
    const problem = `the tokenizer of ${origin} is not BERT's but ${other}, which is not read`;
    throw new BertqaError("fetch", problem, {
      remedy: "Take an encoder with tokenizer.json, or with BERT's tokenizer",
    });
  }
  const { text } = await readEncoderText(path, origin);
  if (!config.added_tokens_decoder) await refuseAddedTokens(files, text);
  try {
    const made = tokenizerFromVocabulary(text, config);
    return { ...made, isConfigured: config.do_lower_case !== undefined };
  } catch (cause) {
    throw new BertqaError("fetch", `${origin} makes no tokenizer: ${(cause as Error).message}`, { cause });
  }
}

/** transformers before 4.34 wrote words that were added beside the vocabulary without saying how they are found in a text. */
async function refuseAddedTokens(files: FetchedFiles, vocabulary: string): Promise<void> {
  const added = Object.keys(await readIfThere(files, "added_tokens.json", z.record(z.string(), z.int())));
  const known = new Set(vocabulary.split(/\r?\n/));
  const token = added.find((each) => !known.has(each));
  if (token === undefined) return;
  const where = files.get("added_tokens.json")?.origin ?? "added_tokens.json";
  throw new BertqaError("fetch", `added_tokens.json has ${JSON.stringify(token)}, which vocab.txt has not`, {
    remedy: "Load the tokenizer with Python's AutoTokenizer and save it, which writes tokenizer.json",
    where,
  });
}

async function readIfThere<T>(files: FetchedFiles, name: string, schema: z.ZodType<T>): Promise<T> {
  const file = files.get(name);
  return file ? readEncoderJson(await readEncoderText(file.path, file.origin), schema) : schema.parse({});
}

async function convertWeights(files: FetchedFiles, draft: ArtifactDraft, reporter: Reporter): Promise<void> {
  const file = files.get("pytorch_model.bin") as FetchedFile;
  try {
    const tensors = await readPytorchTensors(file.path, file.pin?.sha256);
    await writeSafetensors(await pathOf(draft, "model.safetensors"), tensors, { format: "pt" });
    reporter.line(`model.safetensors made from the ${tensors.size} tensors of pytorch_model.bin`);
  } catch (cause) {
    const remedy = "Take an encoder with model.safetensors";
    const problem = `${file.origin} cannot be read: ${(cause as Error).message}`;
    throw new BertqaError("fetch", problem, { remedy, cause });
  }
}
