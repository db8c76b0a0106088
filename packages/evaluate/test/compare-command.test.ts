import { questionsOf } from "@bertqa/core";
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluateOptionsSchema, evaluateStage } from "../src/index.ts";
import { madeUpAnswers, makePipeline, sampleFile, type FakePipeline } from "./support/pipeline.ts";
import { runIn } from "../../../test/support/run-stage.ts";

const bin = fileURLToPath(new URL("../bin/bertqa-compare.mjs", import.meta.url));
const devFile = fileURLToPath(new URL("../../../pipelines/sample/corpus/dev.json", import.meta.url));
const pipelines: FakePipeline[] = [];

function compare(...args: readonly string[]) {
  return spawnSync(process.execPath, [bin, "--samples", "200", ...args], { encoding: "utf8" });
}
const artifactsOf = (run: number) => (pipelines[run] as FakePipeline).folders.artifactsFolder;
const evaluationOf = (run: number) => join(artifactsOf(run), "evaluate");

beforeAll(async () => {
  const [train, dev] = [sampleFile("train"), sampleFile("dev")];
  for (const [seed, skill] of [
    [1, 0.5],
    [2, 0.85],
    [3, 0.8],
  ] as const) {
    const answers = { dev: madeUpAnswers(questionsOf(dev), seed, skill) };
    const pipeline = await makePipeline({ train, dev, answers });
    pipelines.push(pipeline);
    await runIn(evaluateStage, evaluateOptionsSchema.parse({ bootstrapSamples: 20 }), pipeline.folders);
  }
});
afterAll(() => pipelines.forEach((pipeline) => pipeline.remove()));

test("two evaluation artifacts: scores, difference, flips both ways, with the questions' text", () => {
  const { status, stdout } = compare(evaluationOf(0), evaluationOf(1), "--show", "2");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^exact +\d+\.\d\d → \d+\.\d\d +[+−]\d+\.\d\d \(95 % .* p = \d\.\d{3}\)$/m);
  expect(stdout).toMatch(/wrong → right: \d+ questions\n {2}\S+: .*\?\n {4}A .* · B .* · gold /);
  expect(stdout).toMatch(/right → wrong: \d+ questions/);
});

test("several seeds have a mean and a deviation; a third side is compared with the first too", () => {
  const { stdout } = compare(evaluationOf(0), `${evaluationOf(1)},${evaluationOf(2)}`, evaluationOf(2));
  expect(stdout).toMatch(/^exact .* ± \d+\.\d\d \(2 runs\)/m);
  expect(stdout.match(/^A = /gm)).toHaveLength(2);
});

test("predictions are scored against --data, and agree with the evaluation artifact at threshold 0", () => {
  const predictions = join(artifactsOf(1), "predict");
  const { stdout } = compare(predictions, evaluationOf(1), "--at", "zero", "--json", "--data", devFile);
  const [comparison] = JSON.parse(stdout) as [{ difference: { f1: { value: number } }; gained: []; lost: [] }];
  expect(comparison.difference.f1.value).toBe(0);
  expect([comparison.gained, comparison.lost]).toEqual([[], []]);
});

test("what is missing is said in one line", () => {
  const lone = join(artifactsOf(0), "lone", "answers");
  cpSync(join(artifactsOf(0), "predict"), lone, { recursive: true });
  expect(compare(lone, evaluationOf(0)).stderr).toMatch(
    /^compare: .* holds predictions, which need gold answers .*--data/,
  );
  expect(compare("/nowhere", evaluationOf(0)).stderr).toMatch(/^compare: \/nowhere does not exist/);
  expect(compare(evaluationOf(0), evaluationOf(1), "--at", "tuned").stderr).toMatch(/has no threshold "tuned"/);
  expect(compare(evaluationOf(0)).status).toBe(2);
});
