import { questionsOf, silentReporter, type SquadFile } from "@bertqa/core";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { evaluateOptionsSchema, evaluateStage } from "../src/index.ts";
import { madeUpAnswers, makePipeline, sampleFile, type FakePipeline } from "./support/pipeline.ts";
import { runIn } from "../../../test/support/run-stage.ts";

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
  const artifact = await runIn(evaluateStage, options, folders);
  const names = artifact.manifest.files.map(({ path }) => path);
  expect(names).toEqual(["report.html", "report.json", "scores.json", "summary.md"]);
  expect(artifact.manifest.counts).toMatchObject({
    questions: questionsOf(dev).length,
    tuneQuestions: tuneQuestions.length,
    articles: 3,
  });
  const scores = JSON.parse(readFileSync(join(artifact.folder, "scores.json"), "utf8")) as Record<string, number>;
  expect(scores).toMatchObject({ total: questionsOf(dev).length });
  const history = readFileSync(join(folders.artifactsFolder, "history.jsonl"), "utf8");
  expect(history.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(history)).toMatchObject({ evaluation: artifact.manifest.contentSha256, commit: null });
});

test("the same inputs twice give the same bytes, report and summary included, whatever the history says", async () => {
  const { folders } = await pipelineOf();
  const first = await runIn(evaluateStage, options, folders);
  const second = await runIn(evaluateStage, options, folders);
  expect(second.manifest).toEqual(first.manifest);
});

test("history is only appended to, and a broken line in it stops nothing", async () => {
  const { folders } = await pipelineOf();
  const history = join(folders.artifactsFolder, "history.jsonl");
  await runIn(evaluateStage, options, folders);
  const before = readFileSync(history, "utf8");
  appendFileSync(history, '{"date": "2026');
  await runIn(evaluateStage, options, folders);
  const after = readFileSync(history, "utf8");
  expect(after.startsWith(`${before}{"date": "2026\n`)).toBe(true);
  expect(after.trim().split("\n")).toHaveLength(3);
});

test("without a tune split it runs, and says what that means", async () => {
  const { folders } = await pipelineOf(1, false);
  const lines: string[] = [];
  const artifact = await runIn(evaluateStage, options, folders, {
    ...silentReporter,
    line: (text) => void lines.push(text),
  });
  expect(lines.join("\n")).toContain("No questions were held out of training");
  expect(readFileSync(join(artifact.folder, "summary.md"), "utf8")).toContain("No questions were held out of training");
});

test("predictions of another dataset, a damaged file and a missing artifact are refused by name, and leave nothing", async () => {
  const { folders } = await pipelineOf();
  const run = () => runIn(evaluateStage, options, folders);
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
  await expect(run()).rejects.toThrow(
    /predictions in .* were made from another dataset than the one in .*\. Run the predict stage again/,
  );
  expect(existsSync(join(folders.artifactsFolder, "evaluate"))).toBe(false);
  expect(existsSync(join(folders.artifactsFolder, "history.jsonl"))).toBe(false);
});
