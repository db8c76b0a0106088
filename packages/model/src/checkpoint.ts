import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BertqaError,
  describeNonFinite,
  elementCount,
  parseBertConfig,
  readSafetensors,
  SeededRandom,
  writeSafetensors,
  type BertConfig,
  type HostTensor,
} from "@bertqa/core";
import { expectedShapes } from "./parameters.ts";
import type { BertCheckpoint, ReadCheckpointOptions } from "./types.ts";

const CONFIG_FILE = "config.json";
const WEIGHTS_FILE = "model.safetensors";

/** Tensors of BERT checkpoints that question answering has no use for. */
const UNUSED = /^(bert\.pooler\.|cls\.|bert\.embeddings\.position_ids$|classifier\.|lm_head\.|dropout\.)/;

/**
 * Reads a Hugging Face folder: a whole `BertForQuestionAnswering`, or a bare encoder, whose answer head is then drawn
 * from N(0, initializer_range²) with zero biases.
 *
 * @throws BertqaError naming every missing, unexpected and misshapen tensor, with both shapes, or a tensor with numbers that are not
 *   finite
 */
export async function readCheckpoint(folder: string, options: ReadCheckpointOptions): Promise<BertCheckpoint> {
  const { stage, seed, onReport } = options;
  const rawConfig = await readRawConfig(join(folder, CONFIG_FILE), stage);
  const config = parseBertConfig(rawConfig, stage, join(folder, CONFIG_FILE));
  const file = join(folder, WEIGHTS_FILE);
  const read = await readSafetensors(file, stage);
  const found = new Map([...read].map(([name, tensor]) => [canonicalName(name), tensor]));
  const ignored = [...found.keys()].filter((name) => UNUSED.test(name));
  for (const name of ignored) found.delete(name);
  const initialised = addAnswerHead(found, config, seed);
  const expected = expectedShapes(config);
  checkTensors(found, expected, { stage, where: file, what: "the weights do not fit config.json" });
  const nonFinite = describeNonFinite(found);
  if (nonFinite !== undefined) {
    const remedy = "Choose weights of a training that did not diverge, or fetch them again";
    throw new BertqaError(stage, `weights are not finite numbers: ${nonFinite}`, { remedy, where: file });
  }
  onReport?.({ ignored, initialised });
  return { config, rawConfig, tensors: new Map([...expected.keys()].map((name) => [name, found.get(name)!])) };
}

async function readRawConfig(file: string, stage: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  } catch (cause) {
    throw new BertqaError(stage, `the encoder's config.json cannot be read: ${(cause as Error).message}`, {
      remedy: "Give a folder in Hugging Face's layout: config.json, model.safetensors",
      where: file,
      cause,
    });
  }
}

/** Old files say gamma and beta; bare encoders leave "bert." out. */
function canonicalName(name: string): string {
  const renamed = name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
  return /^(embeddings|encoder|pooler)\./.test(renamed) ? `bert.${renamed}` : renamed;
}

function addAnswerHead(found: Map<string, HostTensor>, config: BertConfig, seed: number): string[] {
  const head = [...expectedShapes(config)].filter(([name]) => name.startsWith("qa_outputs."));
  if (head.some(([name]) => found.has(name))) return [];
  const random = new SeededRandom(seed, "answer head");
  for (const [name, shape] of head) {
    const deviation = name.endsWith(".bias") ? 0 : config.initializerRange;
    found.set(name, { shape, data: normalNumbers(elementCount(shape), deviation, random) });
  }
  return head.map(([name]) => name);
}

/** Numbers from N(0, deviation²), by the method of Box and Muller. */
function normalNumbers(count: number, deviation: number, random: SeededRandom): Float32Array {
  const uniform = () => random.integerBelow(2 ** 32) / 2 ** 32;
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return deviation * radius * Math.cos(2 * Math.PI * uniform());
  });
}

/** @throws BertqaError with every difference in one message */
export function checkTensors(
  found: ReadonlyMap<string, HostTensor>,
  expected: ReadonlyMap<string, readonly number[]>,
  { stage, where, what }: { readonly stage: string; readonly where?: string; readonly what: string },
): void {
  const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;
  const problems: string[] = [];
  for (const [name, shape] of expected) {
    const got = found.get(name)?.shape;
    if (!got) problems.push(`missing ${name} ${show(shape)}`);
    else if (got.join() !== shape.join()) problems.push(`${name}: got ${show(got)}, expected ${show(shape)}`);
  }
  for (const [name, { shape }] of found) {
    if (!expected.has(name)) problems.push(`unexpected ${name} ${show(shape)}`);
  }
  if (problems.length === 0) return;
  const remedy = "Choose weights and config.json of one BERT model";
  throw new BertqaError(stage, `${what}: ${problems.join("; ")}`, { remedy, ...(where && { where }) });
}

/**
 * What a `config.json` says of the head that an encoder had before: `BertForQuestionAnswering` gives its own head as many outputs as
 * there are labels, two where nothing is said. `torch_dtype` is the older name of dtype.
 */
const ofOtherHead: ReadonlySet<string> = new Set([
  ...["id2label", "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task"],
  "torch_dtype",
]);

/** Writes `config.json` and `model.safetensors` as `AutoModelForQuestionAnswering` reads them; equal input, equal bytes. */
export async function writeCheckpoint(folder: string, checkpoint: BertCheckpoint): Promise<void> {
  await mkdir(folder, { recursive: true });
  const kept = Object.entries(checkpoint.rawConfig).filter(([key]) => !ofOtherHead.has(key));
  const config = { ...Object.fromEntries(kept), architectures: ["BertForQuestionAnswering"], dtype: "float32" };
  await writeFile(join(folder, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`);
  await writeSafetensors(join(folder, WEIGHTS_FILE), checkpoint.tensors, { format: "pt" });
}
