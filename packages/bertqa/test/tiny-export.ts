import { parseBertConfig, readSafetensors, sha256Of } from "@bertqa/core";
import { bertToOnnx } from "@bertqa/export";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const tinyBert = join(import.meta.dirname, "../../model/test/fixtures/tiny-bert");

/** 37 tokens, as many as the tiny BERT of packages/model has. */
const words =
  "[PAD] [UNK] [CLS] [SEP] [MASK] who what where wrote is it the a of in on , . ? 1 8 4 3 2 5 6 7 9 0 ada ##s love ##lace engine program b c";

export const vocabulary = words.split(" ");
export const windowTokens = 23;

const basis = {
  kind: "nothing",
  questions: 0,
  answerable: 0,
  unanswerable: 0,
  articles: 0,
  text: "nothing",
  rule: "0",
};
export const decision = {
  formatVersion: 1,
  window: { maxTokens: windowTokens, windowOverlapTokens: 4, maxQuestionTokens: 8 },
  maxAnswerTokens: 5,
  nBest: 6,
  noAnswerAllowed: true,
  // High enough that the made-up model always answers.
  threshold: { nullOdds: 100, basis },
  calibration: null,
  answerability: null,
};

/** A folder that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TinyExportOptions {
  /** The null odds above which there is no answer. */
  readonly threshold?: number;
  /** Of the scores of start and end: −1 makes another model of it, NaN a damaged one. */
  readonly scoreFactor?: number;
}

/** Writes the tiny BERT as an export, with a manifest as the export stage writes it. */
export async function writeTinyExport(
  folder: string,
  { threshold = decision.threshold.nullOdds, scoreFactor = 1 }: TinyExportOptions = {},
): Promise<string> {
  const rawConfig: unknown = JSON.parse(await readFile(join(tinyBert, "config.json"), "utf8"));
  const config = parseBertConfig(rawConfig, "test", tinyBert);
  const tensors = await readSafetensors(join(tinyBert, "model.safetensors"), "test");
  const scores = tensors.get("qa_outputs.weight")!.data;
  scores.forEach((weight, i) => (scores[i] = weight * scoreFactor));
  const rules = { ...decision, threshold: { ...decision.threshold, nullOdds: threshold } };
  await mkdir(join(folder, "onnx"), { recursive: true });
  const files: Record<string, string | Uint8Array> = {
    "config.json": JSON.stringify(rawConfig),
    "decision.json": JSON.stringify(rules),
    "onnx/model.onnx": bertToOnnx(config, tensors, "float32"),
    "onnx/model_quantized.onnx": bertToOnnx(config, tensors, "int8"),
    "tokenizer_config.json": JSON.stringify({ do_lower_case: true }),
    "vocab.txt": `${vocabulary.join("\n")}\n`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const listed = Object.entries(files).map(([path, content]) => ({ path, sha256: sha256Of(content) }));
  await writeFile(join(folder, "manifest.json"), JSON.stringify({ kind: "export", formatVersion: 1, files: listed }));
  return folder;
}
