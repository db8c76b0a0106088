import { questionsOf, silentReporter, type SquadFile } from "@bertqa/core";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { evaluateOptionsSchema, runEvaluate } from "../src/index.ts";
import { madeUpAnswers, makePipeline, sampleFile, type FakePipeline } from "./support/pipeline.ts";

const options = evaluateOptionsSchema.parse({ bootstrapSamples: 50 });
const train: SquadFile = { data: sampleFile("train").data.slice(0, 5) };
const dev: SquadFile = { data: sampleFile("dev").data.slice(0, 3) };
const tuneQuestions = questionsOf(train).filter(({ articleIndex }) => articleIndex < 2);

const pipelines: FakePipeline[] = [];
afterEach(() => pipelines.splice(0).forEach((pipeline) => pipeline.remove()));

async function pipelineOf(seed = 1, hasTune = true): Promise<FakePipeline> {
  const tune = hasTune ? { tune: madeUpAnswers(tuneQuestions, seed + 1) } : {};
  const pipeline = await makePipeline({ train, dev, answers: { dev: madeUpAnswers(questionsOf(dev), seed), ...tune } });
  pipelines.push(pipeline);
  return pipeline;
}

test("leaves scores, report and summary, and one line of history beside the artifact", async () => {
  const { folders } = await pipelineOf();
  const artifact = await runEvaluate(options, folders, silentReporter);
  expect(artifact.manifest.files.map(({ path }) => path)).toEqual(["report.json", "scores.json"]);
  expect(artifact.manifest.logs).toEqual(["report.html", "summary.md"]);
  expect(artifact.manifest.counts).toMatchObject({
    questions: questionsOf(dev).length,
    tuneQuestions: tuneQuestions.length,
    articles: 3,
  });
  const scores = JSON.parse(readFileSync(artifact.path("scores.json"), "utf8")) as Record<string, number>;
  expect(scores).toMatchObject({ total: questionsOf(dev).length });
  const history = readFileSync(join(folders.artifactsFolder, "history.jsonl"), "utf8");
  expect(history.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(history)).toMatchObject({ evaluation: artifact.manifest.contentSha256, commit: null });
});

test("the same inputs twice give the same content; the second summary compares with the first run", async () => {
  const { folders } = await pipelineOf();
  const first = await runEvaluate(options, folders, silentReporter);
  const firstPage = readFileSync(first.path("report.html"), "utf8");
  const second = await runEvaluate(options, folders, silentReporter);
  expect(second.manifest).toEqual(first.manifest);
  expect(readFileSync(second.path("report.html"), "utf8")).toBe(firstPage);
  expect(readFileSync(second.path("summary.md"), "utf8")).toContain("= +0.00 | +0.00 to +0.00 | 1.000 |");
});

test("history is only appended to, and a broken line in it stops nothing", async () => {
  const { folders } = await pipelineOf();
  const history = join(folders.artifactsFolder, "history.jsonl");
  await runEvaluate(options, folders, silentReporter);
  const before = readFileSync(history, "utf8");
  appendFileSync(history, '{"date": "2026');
  const lines: string[] = [];
  await runEvaluate(options, folders, { ...silentReporter, line: (text) => void lines.push(text) });
  const after = readFileSync(history, "utf8");
  expect(after.startsWith(`${before}{"date": "2026\n`)).toBe(true);
  expect(after.trim().split("\n")).toHaveLength(3);
  expect(lines.join("\n")).toContain("skipped 1 broken line of");
});

test("without a tune split it runs, and says what that means", async () => {
  const { folders } = await pipelineOf(1, false);
  const lines: string[] = [];
  const artifact = await runEvaluate(options, folders, { ...silentReporter, line: (text) => void lines.push(text) });
  expect(lines.join("\n")).toContain("No questions were held out of training");
  expect(readFileSync(artifact.path("summary.md"), "utf8")).toContain("No questions were held out of training");
});

test("predictions of another dataset, a damaged file and a missing artifact are refused by name, and leave nothing", async () => {
  const { folders } = await pipelineOf();
  const run = () => runEvaluate(options, folders, silentReporter);
  const odds = join(folders.artifactsFolder, "predict/null_odds.json");
  const whole = readFileSync(odds, "utf8");
  writeFileSync(odds, whole.replace("1", "2"));
  await expect(run()).rejects.toThrow(/null_odds\.json has sha256 .* Run the predict stage again/);
  writeFileSync(odds, whole);
  const manifest = join(folders.artifactsFolder, "predict/manifest.json");
  writeFileSync(
    manifest,
    readFileSync(manifest, "utf8").replace(/"dataset": "[0-9a-f]{64}"/, `"dataset": "${"0".repeat(64)}"`),
  );
  await expect(run()).rejects.toThrow(/predictions were made from another dataset/);
  expect(existsSync(join(folders.artifactsFolder, "evaluate"))).toBe(false);
  expect(existsSync(join(folders.artifactsFolder, "history.jsonl"))).toBe(false);
});
