import {
  BertqaError,
  datasetLayout,
  encoderFiles,
  parseJson,
  sha256OfFile,
  writeSafetensors,
  type ArtifactDraft,
  type Reporter,
} from "@bertqa/core";
import { parseDataJson } from "@bertqa/squad";
import { constants } from "node:fs";
import { chmod, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { FetchedFile } from "../download.ts";
import { encoderConfigSchema, findEncoderProblem, tokenizerSchema } from "./check.ts";
import { readPytorchTensors } from "./pytorch.ts";
import { tokenizerFromVocabulary } from "./wordpiece.ts";

type FetchedFiles = ReadonlyMap<string, FetchedFile>;

/**
 * Writes the encoder into the artifact: its files as they are, `tokenizer.json` made of `vocab.txt` and
 * `model.safetensors` made of `pytorch_model.bin` where it ships only those. What is checked and used are the copies.
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
  const config = await readJson(copies, files, "config.json", encoderConfigSchema);
  const tokenizer = await readJson(copies, files, "tokenizer.json", tokenizerSchema);
  const problem = findEncoderProblem(config, tokenizer);
  if (!problem) return;
  throw new BertqaError("fetch", `the encoder does not fit: ${problem}`, {
    remedy: "Take a BERT encoder with its own tokenizer.json or vocab.txt: see encoder.sources",
    where: files.get("config.json")?.origin ?? "",
  });
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

const tokenizerConfigSchema = z.object({
  do_lower_case: z.boolean().optional(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().optional(),
});

async function makeTokenizer(files: FetchedFiles, draft: ArtifactDraft, reporter: Reporter): Promise<string> {
  const { path, origin } = files.get("vocab.txt") as FetchedFile;
  const configFile = files.get("tokenizer_config.json");
  const config = configFile
    ? parseJson("fetch", await readFile(configFile.path, "utf8"), configFile.origin, tokenizerConfigSchema)
    : {};
  const copy = await pathOf(draft, "tokenizer.json");
  try {
    const { json, lowercase } = tokenizerFromVocabulary(await readFile(path, "utf8"), config);
    await writeFile(copy, json);
    const reason = config.do_lower_case === undefined ? "its vocabulary says" : "tokenizer_config.json says";
    reporter.line(`tokenizer.json made from vocab.txt, ${lowercase ? "uncased" : "cased"} as ${reason}`);
  } catch (cause) {
    throw new BertqaError("fetch", `${origin} makes no tokenizer: ${(cause as Error).message}`, { cause });
  }
  return copy;
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

async function readJson<T>(
  copies: ReadonlyMap<string, string>,
  files: FetchedFiles,
  name: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const origin = files.get(name)?.origin ?? name;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(copies.get(name) as string));
    // Every later reader of this file would overflow its stack.
    parseDataJson(text);
  } catch (cause) {
    const problem = cause instanceof TypeError ? "is not UTF-8" : `cannot be read: ${(cause as Error).message}`;
    throw new BertqaError("fetch", `${origin} ${problem}`, { remedy: "Fix the file and run again", cause });
  }
  return parseJson("fetch", text, origin, schema);
}
