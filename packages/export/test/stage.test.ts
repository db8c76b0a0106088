import { AutoModelForQuestionAnswering, env, Tensor } from "@huggingface/transformers";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifact } from "@bertqa/runner";
import { modelCard } from "../src/card.ts";
import { exportStage } from "../src/index.ts";
import { runIn } from "../../../test/support/run-stage.ts";

const tinyBert = join(import.meta.dirname, "../../model/test/fixtures/tiny-bert");
const basis = {
  kind: "tune",
  questions: 9,
  answerable: 5,
  unanswerable: 4,
  articles: 2,
  text: "tune: 9 questions of 2 articles",
  rule: "highest F1",
};
const decision = {
  formatVersion: 1,
  window: { maxTokens: 23, windowOverlapTokens: 4, maxQuestionTokens: 8 },
  maxAnswerTokens: 5,
  nBest: 6,
  noAnswerAllowed: true,
  threshold: { nullOdds: 1.5, basis },
  calibration: null,
  answerability: null,
};
const score = (value: number) => ({ value, interval: [value - 5, value + 5] });
const scores = { exact: score(60), f1: score(70), total: 30 };
const report = {
  formatVersion: 2,
  primary: "tuned",
  counts: { questions: 30, answerable: 20, unanswerable: 10, articles: 3, tuneQuestions: 9 },
  scores: [
    { kind: "zero", label: "0", nullOddsThreshold: 0, all: scores, hasAns: scores, noAns: null },
    { kind: "tuned", label: "tuned on held-out", nullOddsThreshold: 1.5, all: scores, hasAns: scores, noAns: scores },
  ],
  breakdowns: [
    {
      by: "question word",
      groups: [
        { label: "who", exact: 80, f1: 90, total: 18 },
        { label: "why", exact: 10, f1: 20, total: 12 },
        { label: "how", exact: 0, f1: 0, total: 2 },
      ],
    },
  ],
  sanity: { all: { exact: 41.25, f1: 50, total: 80 } },
  remarks: ["3 articles are few."],
};

const pin = { bytes: 11, sha256: "0".repeat(64) };
let folders: { readonly pipelineFolder: string; readonly artifactsFolder: string };
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-export-"));
  folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  await writeInput(
    "fetch",
    "dataset",
    { "train.json": '{"data":[]}', "dev.json": '{"data":[]}' },
    {
      dataset: {
        train: { sources: [{ url: "https://user:secret@host.example/train.json?token=secret", ...pin }] },
        dev: { sources: ["/home/someone/dev.json"] },
        extra: { sources: ["../sample/corpus/train.json"] },
      },
      encoder: { sources: ["hub:owner/tiny@abc"] },
    },
  );
  const vocabulary = Array.from({ length: 37 }, (_, i) => ["[PAD]", "[UNK]", "[CLS]", "[SEP]"][i] ?? `w${i}`).join(
    "\n",
  );
  await writeInput(
    "train",
    "model",
    { "log.jsonl": "", "model/vocab.txt": vocabulary },
    { epochs: 3, learningRate: 0.001 },
    ["config.json", "model.safetensors"],
  );
  await writeInput("evaluate", "evaluation", {
    "report.json": JSON.stringify(report),
    "decision.json": JSON.stringify(decision),
    "scores.json": "{}",
    "questions.jsonl": "",
  });
  await runIn(exportStage, { encoderLicense: "apache-2.0" }, folders);
});
afterAll(() => rm(folders.pipelineFolder, { recursive: true }));

async function writeInput(
  stage: string,
  kind: "dataset" | "model" | "evaluation",
  files: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>> = {},
  ofTinyBert: readonly string[] = [],
): Promise<void> {
  await writeArtifact(stage, join(folders.artifactsFolder, stage), async (draft) => {
    for (const [name, text] of Object.entries(files)) await writeFile(await draft.path(name), text);
    for (const name of ofTinyBert) await copyFile(join(tinyBert, name), await draft.path(`model/${name}`));
    return { kind, options, counts: {}, inputs: {} };
  });
}

const exported = (name: string) => readFile(join(folders.artifactsFolder, "export", name), "utf8");

test("the export holds what each ecosystem loads, by the names that it looks for", async () => {
  const manifest = JSON.parse(await exported("manifest.json")) as { kind: string; files: { path: string }[] };
  expect(manifest.kind).toBe("export");
  expect(manifest.files.map(({ path }) => path)).toEqual([
    "README.md",
    "config.json",
    "decision.json",
    "model.safetensors",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
    "vocab.txt",
  ]);
  expect(JSON.parse(await exported("decision.json"))).toEqual(decision);
});

test("the model card names data, licence, options, the tuned scores with their intervals, and the weakest groups", async () => {
  const card = await exported("README.md");
  for (const part of [
    'license: "apache-2.0"\n',
    'base_model: "owner/tiny"\n',
    "| **tuned on held-out** | 1.50 | 60.0 (55.0–65.0) | 70.0 (65.0–75.0) | 70.0 | 70.0 |",
    "Chosen on: tune: 9 questions of 2 articles (highest F1).",
    "3 articles are few.",
    "Sanity set, 80 questions picked to be hard, at the threshold in bold: exact match 41.3, F1 50.0.",
    "| epochs | 3 |",
    'from "bertqa"',
  ]) {
    expect(card).toContain(part);
  }
  // "how" has 2 questions, too few to tell.
  expect(card).toContain("| question word: why | 12 | 10.0 | 20.0 |\n| question word: who | 18 | 80.0 | 90.0 |");
  expect(card).not.toContain("question word: how");
});

test("the model card announces intervals where there are some: of one article there are none", async () => {
  expect(await exported("README.md")).toContain(
    "(20 with an answer, 10 without), percent, with 95 % intervals by article:",
  );
  const manifest = async (stage: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folders.artifactsFolder, stage, "manifest.json"), "utf8"));
  const card = modelCard({
    ...{ pipeline: "x", decision, options: {}, bytes: { float32: 1, int8: 1 } },
    report: { ...report, counts: { ...report.counts, articles: 1 } },
    ...{ dataset: await manifest("fetch"), model: await manifest("train") },
  } as unknown as Parameters<typeof modelCard>[0]);
  expect(card).toContain("of 1 article (20 with an answer, 10 without), percent:");
});

test("the model card shows no user name, password or token of an address, and no local folder", async () => {
  const card = await exported("README.md");
  expect(card).toContain("train `https://host.example/train.json`, beside it `train.json`, dev `dev.json`");
  expect(card).not.toContain("secret");
});

test("equal inputs give equal bytes", async () => {
  const before = JSON.parse(await exported("manifest.json")) as { contentSha256: string };
  const { manifest } = await runIn(exportStage, { encoderLicense: "apache-2.0" }, folders);
  expect(manifest.contentSha256).toBe(before.contentSha256);
});

test.each(["fp32", "q8"] as const)("transformers.js finds the %s model by its name, and runs it", async (dtype) => {
  env.allowRemoteModels = false;
  env.localModelPath = folders.artifactsFolder;
  const model = await AutoModelForQuestionAnswering.from_pretrained("export", { dtype });
  const tensor = (values: readonly bigint[]) => new Tensor("int64", BigInt64Array.from(values), [1, values.length]);
  const outputs = (await model({
    input_ids: tensor([2n, 5n, 3n, 6n, 3n]),
    attention_mask: tensor([1n, 1n, 1n, 1n, 1n]),
    token_type_ids: tensor([0n, 0n, 0n, 1n, 1n]),
  })) as Record<"start_logits" | "end_logits", Tensor>;
  expect([outputs.start_logits.dims, outputs.end_logits.dims]).toEqual([
    [1, 5],
    [1, 5],
  ]);
  await model.dispose();
});
