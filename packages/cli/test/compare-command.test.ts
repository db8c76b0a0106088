import { questionsOf } from "@bertqa/squad";
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { madeUpAnswers, makePipeline, sampleFile, type FakePipeline } from "../../evaluate/test/support/pipeline.ts";

const bin = fileURLToPath(new URL("../../bertqa/bin/bertqa.mjs", import.meta.url));
const devFile = fileURLToPath(new URL("../../../pipelines/sample/corpus/dev.json", import.meta.url));
const dev = sampleFile("dev");
const answers = (seed: number, skill: number) => ({ dev: madeUpAnswers(questionsOf(dev), seed, skill) });
let pipeline: FakePipeline;
let other: FakePipeline;

function bertqa(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}
const compare = (...args: readonly string[]) => bertqa("compare", ...args, "--samples", "200");
const evaluationOf = ({ folders }: FakePipeline) => join(folders.artifactsFolder, "evaluate");
const evaluate = ({ folders }: FakePipeline) =>
  expect(bertqa("stage", "evaluate", folders.pipelineFolder)).toMatchObject({ status: 0 });

beforeAll(async () => {
  const train = sampleFile("train");
  pipeline = await makePipeline({ train, dev, answers: answers(1, 0.5) });
  evaluate(pipeline);
  await pipeline.predict(answers(2, 0.85));
  evaluate(pipeline);
  other = await makePipeline({ train, dev, answers: answers(3, 0.8) });
  evaluate(other);
});
afterAll(() => [pipeline, other].forEach((made) => made.remove()));

test("after two runs with a change between them, the difference to the run before has an interval", () => {
  const { status, stdout } = compare(pipeline.folders.pipelineFolder, "--show", "2");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^A = \d{4}-\d\d-\d\d \d\d:\d\d UTC, evaluation [0-9a-f]{8} \(threshold zero 0\.00\)$/m);
  expect(stdout).toMatch(/^exact +\d+\.\d\d → \d+\.\d\d +[+−]\d+\.\d\d \(95 % .* to .*, p = \d\.\d{3}\)$/m);
  expect(stdout).toMatch(/wrong → right: \d+ questions\n {2}\S+: .*\?\n {4}A .* · B .* · gold /);
  const markdown = compare(pipeline.folders.pipelineFolder, "--markdown").stdout;
  expect(markdown).toMatch(/^\| F1 \| \d+\.\d\d \| \d+\.\d\d \| ▲ \+\d+\.\d\d \| [+−]\d.* to \+\d.* \| 0\.\d{3} \|$/m);
});

test("a run of the history is named by its hash too, and one whose answers are gone is refused by name", () => {
  const { artifactsFolder, pipelineFolder } = pipeline.folders;
  const [first] = readFileSync(join(artifactsFolder, "history.jsonl"), "utf8").split("\n");
  const { evaluation } = JSON.parse(first as string) as { evaluation: string };
  expect(compare(pipelineFolder, "--baseline", evaluation.slice(0, 12)).stdout).toContain(evaluation.slice(0, 8));
  expect(compare(pipelineFolder, "--baseline", "fffffff").stderr).toMatch(/^compare: "fffffff" is no file or folder/);
  expect(compare(pipelineFolder, "--baseline", "")).toMatchObject({
    ...{ status: 1, stdout: "", stderr: expect.stringMatching(/^compare: an empty text names no baseline/) },
  });
  const entry = JSON.stringify({ ...JSON.parse(first as string), evaluation: "ab".repeat(32) });
  appendFileSync(join(artifactsFolder, "history.jsonl"), `${entry}\n`);
  expect(compare(pipelineFolder).stderr).toMatch(/^compare: the answers of evaluation abababab are gone: the last 20/);
});

test("an evaluation without another one before it has nothing to be compared with", () => {
  const { status, stderr } = compare(other.folders.pipelineFolder);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^compare: the history has no evaluation but the one that is there/);
});

test("several seeds have a mean and a deviation, whichever side they are on", () => {
  const seeds = `${evaluationOf(pipeline)},${evaluationOf(other)}`;
  expect(compare(seeds, "--baseline", evaluationOf(other)).stdout).toMatch(/^exact .* ± \d+\.\d\d \(2 runs\) {3}/m);
  expect(compare(evaluationOf(other), "--baseline", seeds).stdout).toMatch(/^exact .* ± \d+\.\d\d \(2 runs\) → /m);
});

test("predictions are scored against --data, and agree with the evaluation artifact at threshold 0", () => {
  const predictions = join(other.folders.artifactsFolder, "predict/predictions.json");
  const args = [evaluationOf(other), "--baseline", predictions, "--at", "zero", "--json", "--data", devFile];
  const { difference, gained, lost } = JSON.parse(compare(...args).stdout) as Record<string, unknown>;
  expect(difference).toMatchObject({ f1: { value: 0 } });
  expect([gained, lost]).toEqual([[], []]);
});

test("an evaluation that always answers is compared by its best spans, as its predictions are", async () => {
  const always = await makePipeline({
    train: sampleFile("train"),
    dev,
    answers: answers(3, 0.8),
    noAnswerAllowed: false,
  });
  try {
    evaluate(always);
    const predictions = join(always.folders.artifactsFolder, "predict/predictions.json");
    const { stdout } = compare(evaluationOf(always), "--baseline", predictions, "--json", "--data", devFile);
    expect(JSON.parse(stdout)).toMatchObject({
      b: { thresholds: ["always answers"] },
      difference: { exact: { value: 0 }, f1: { value: 0 } },
    });
  } finally {
    always.remove();
  }
});

test("questions and predictions are read as bertqa-evaluate reads them: further keys, questions without positions", () => {
  const folder = join(other.folders.artifactsFolder, "lenient");
  cpSync(evaluationOf(other), folder, { recursive: true });
  const qas = dev.data.flatMap(({ paragraphs }) => paragraphs.flatMap((paragraph) => paragraph.qas));
  const bare = qas.map(({ id, answers: gold }) => ({ id, answers: (gold ?? []).map(({ text }) => ({ text })) }));
  const data = join(other.folders.artifactsFolder, "bare.json");
  writeFileSync(data, JSON.stringify({ data: [{ paragraphs: [{ qas: bare }] }] }));
  const predictions = join(other.folders.artifactsFolder, "more.json");
  writeFileSync(predictions, JSON.stringify({ ...answers(3, 0.8).dev.bestSpans, "not a question": "x" }));
  const { status, stdout } = compare(predictions, "--baseline", predictions, "--data", data);
  expect(status).toBe(0);
  expect(stdout).toContain("365 questions in 1 article\n");
  expect(stdout).toContain("+0.00 (no interval, as all questions are of one article)");
});

test.each(["flag-null", "minus-one", "title-null"])("what bertqa-evaluate scores, compare compares: %s", (name) => {
  const folder = fileURLToPath(
    new URL("../../formats/test/fixtures/files/24-compare-stricter-than-evaluate", import.meta.url),
  );
  const file = (of: string) => join(folder, `${of}.json`);
  const { status, stdout } = compare(file("b"), "--baseline", file("a"), "--data", file(name), "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ questions: 3, leftOut: 0, lost: [] });
});

test("a dev question without answers is not compared, as it is not scored", () => {
  const own = join(other.folders.artifactsFolder, "unlabelled");
  for (const stage of ["predict", "evaluate"]) {
    cpSync(join(other.folders.artifactsFolder, stage), join(own, stage), { recursive: true });
  }
  const file = structuredClone(dev);
  const [first] = file.data[0]!.paragraphs[0]!.qas;
  delete first!.answers;
  delete first!.is_impossible;
  mkdirSync(join(own, "fetch"));
  writeFileSync(join(own, "fetch/dev.json"), JSON.stringify(file));
  const predictions = join(own, "predict");
  const { status, stdout } = compare(predictions, "--baseline", join(own, "evaluate"), "--at", "zero", "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ questions: 364, leftOut: 1, difference: { exact: { value: 0 } } });
  expect(compare(join(own, "evaluate"), "--baseline", join(own, "evaluate")).status).toBe(0);
});

test("runs whose thresholds were chosen by another rule are no seeds of one recipe", async () => {
  const best = await makePipeline({ train: sampleFile("train"), dev, answers: answers(5, 0.8) });
  try {
    const { pipelineFolder } = best.folders;
    // Samples and bins move no score; the seed is one.
    const options = { thresholdRule: "best", seed: 7, bootstrapSamples: 60, reliabilityBins: 5 };
    writeFileSync(join(pipelineFolder, "evaluate.json"), JSON.stringify(options));
    evaluate(best);
    const both = [other.folders.pipelineFolder, pipelineFolder];
    expect(compare(...both, "--csv").stdout).toMatch(/^evaluate\.thresholdRule,exact,.*\nbagged,.*\nbest,.*\n$/);
    expect(compare(both[0]!, "--csv").stdout).toMatch(/^exact,.*\n\d.*\n$/);
    expect(compare(both[0]!, "--csv", "--baseline", "last").stderr).toContain(
      "cannot be used with option '--baseline <run>'",
    );
    const against = compare(...both, "--baseline", evaluationOf(pipeline)).stdout;
    expect(against).toContain("The runs of B differ in evaluate.thresholdRule: ± is not of seeds alone.");
  } finally {
    best.remove();
  }
});

test("minutes of training are those of the log beside the artifact, where it is the artifact's own", () => {
  const { artifactsFolder, pipelineFolder } = pipeline.folders;
  const rows = readFileSync(join(artifactsFolder, "train/log.jsonl"), "utf8").trim().split("\n");
  const live = rows.map((row, i) => ({
    ...(JSON.parse(row) as object),
    windowsPerSecond: 9,
    elapsedMs: 45_000 * (i + 1),
  }));
  const write = (written: readonly object[]) =>
    writeFileSync(join(artifactsFolder, "train.log/log.jsonl"), written.map((row) => JSON.stringify(row)).join("\n"));
  mkdirSync(join(artifactsFolder, "train.log"), { recursive: true });
  write(live);
  const minutes = () => compare(pipelineFolder, other.folders.pipelineFolder, "--csv").stdout;
  // 2 rows, the last after 90 s.
  expect(minutes()).toMatch(/,1\.5,/);
  write(live.map((row) => ({ ...row, loss: 0.125 })));
  expect(minutes()).not.toMatch(/,1\.5,/);
});

test("what is missing is said in one line", () => {
  const text = join(other.folders.artifactsFolder, "text.json");
  writeFileSync(text, '{"data": [{"paragraphs": [{}]}]}');
  expect(compare(text, "--baseline", text, "--data", text).stderr).toMatch(/^compare: .* is not in SQuAD format/);
  const lone = join(other.folders.artifactsFolder, "lone", "answers");
  cpSync(join(other.folders.artifactsFolder, "predict"), lone, { recursive: true });
  expect(compare(lone, "--baseline", lone).stderr).toMatch(
    /^compare: .* holds predictions, which need gold answers .*--data/,
  );
  expect(compare("/nowhere").stderr).toMatch(/^compare: \/nowhere does not exist/);
  const bare = join(other.folders.artifactsFolder, "bare");
  mkdirSync(bare);
  writeFileSync(join(bare, "evaluate.json"), "{}");
  expect(compare(bare).stderr).toMatch(
    /^compare: .*bare has no evaluation\. Run npx nx run bare:evaluate first\. \(.*evaluate\)\n$/,
  );
  expect(compare(evaluationOf(other), "--at", "tuned").stderr).toMatch(/has no threshold "tuned"/);
  expect(compare().status).toBe(2);
});

test("an evaluation of other predictions than those that lie there now is refused", async () => {
  const { pipelineFolder } = other.folders;
  await other.predict(answers(6, 0.8));
  const { status, stderr } = compare(pipelineFolder, pipeline.folders.pipelineFolder);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^compare: the evaluation in \S+ was made from another predictions artifact than that in \S+predict\. Run the evaluate stage first\.\n$/,
  );
  await other.predict(answers(3, 0.8));
  expect(compare(pipelineFolder, pipeline.folders.pipelineFolder).status).toBe(0);
});

test("predictions are not scored by the questions beside them where those are of another dataset", () => {
  const own = join(other.folders.artifactsFolder, "moved");
  for (const stage of ["fetch", "predict"]) {
    cpSync(join(other.folders.artifactsFolder, stage), join(own, stage), { recursive: true });
  }
  const predictions = join(own, "predict");
  const path = join(own, "fetch/manifest.json");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(/"contentSha256": "\w+"/, `"contentSha256": "${"0".repeat(64)}"`));
  expect(compare(predictions, "--baseline", predictions).stderr).toMatch(
    /^compare: .* holds predictions, which need gold answers .*--data/,
  );
});

test("the history keeps the answers of the last 20 evaluations", async () => {
  const { artifactsFolder } = other.folders;
  const history = join(artifactsFolder, "history.jsonl");
  const [line] = readFileSync(history, "utf8").split("\n");
  // 20 newer ones that were evaluated since: the first one's answers go, theirs stay.
  for (let i = 0; i < 20; i++) {
    const evaluation = String(i).padStart(64, "0");
    appendFileSync(history, `${JSON.stringify({ ...JSON.parse(line as string), evaluation })}\n`);
    writeFileSync(join(artifactsFolder, "history", `${evaluation}.jsonl`), "");
  }
  await other.predict(answers(4, 0.8));
  rmSync(evaluationOf(other), { recursive: true });
  evaluate(other);
  const kept = readdirSync(join(artifactsFolder, "history"));
  expect(kept).toHaveLength(20);
  expect(kept).not.toContain(`${(JSON.parse(line as string) as { evaluation: string }).evaluation}.jsonl`);
  expect(kept).not.toContain(`${"0".repeat(64)}.jsonl`);
});
