import { parseDecision } from "@bertqa/answers";
import { openEvaluation, silentReporter } from "@bertqa/core";
import type { Evaluation } from "@bertqa/report";
import { questionsOf, type SquadFile } from "@bertqa/squad";
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { currentCommit, parseHistory } from "../src/history.ts";
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

test("leaves scores, report, decision and summary, and one line of history beside the artifact", async () => {
  const { folders } = await pipelineOf();
  const artifact = await runIn(evaluateStage, options, folders);
  const names = artifact.manifest.files.map(({ path }) => path);
  expect(names).toEqual([
    ...["decision.json", "questions.jsonl", "report.html", "report.json", "scores.json", "summary.md"],
  ]);
  expect(artifact.manifest.counts).toMatchObject({
    questions: questionsOf(dev).length,
    tuneQuestions: tuneQuestions.length,
    articles: 3,
  });
  const scores = JSON.parse(readFileSync(join(artifact.folder, "scores.json"), "utf8")) as Record<string, number>;
  expect(scores).toMatchObject({ total: questionsOf(dev).length });
  const history = readFileSync(join(folders.artifactsFolder, "history.jsonl"), "utf8");
  expect(history.trim().split("\n")).toHaveLength(1);
  const { contentSha256 } = artifact.manifest;
  expect(JSON.parse(history)).toMatchObject({ formatVersion: 1, evaluation: contentSha256, commit: null });
  const kept = readFileSync(join(folders.artifactsFolder, "history", `${contentSha256}.jsonl`), "utf8");
  expect(kept).toBe(readFileSync(join(artifact.folder, "questions.jsonl"), "utf8"));
});

test("the same inputs twice give the same bytes, report and summary included, whatever the history says", async () => {
  const { folders } = await pipelineOf();
  const first = await runIn(evaluateStage, options, folders);
  const second = await runIn(evaluateStage, options, folders);
  expect(second.manifest).toEqual(first.manifest);
});

test("a disk that takes no history is named, the artifact is there, and the next run goes on from it", async () => {
  const { folders } = await pipelineOf();
  const results = join(folders.artifactsFolder, "history");
  writeFileSync(results, "a file where a folder is to be");
  await expect(runIn(evaluateStage, options, folders)).rejects.toThrow(
    /^evaluate: a file lies where a folder has to be.*history/,
  );
  const { contentSha256 } = (await openEvaluation("test", join(folders.artifactsFolder, "evaluate"))).artifact.manifest;
  rmSync(results);
  expect((await runIn(evaluateStage, options, folders)).manifest.contentSha256).toBe(contentSha256);
  expect(readFileSync(join(folders.artifactsFolder, "history.jsonl"), "utf8").trim().split("\n")).toHaveLength(1);
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

test("decision.json says how the questions were answered, at which threshold, and on what it was chosen", async () => {
  const { folders } = await pipelineOf();
  const artifact = await runIn(evaluateStage, options, folders);
  const text = readFileSync(join(artifact.folder, "decision.json"), "utf8");
  const decision = parseDecision("test", JSON.parse(text), "decision.json");
  const evaluation = await openEvaluation("test", artifact.folder);
  const { primary, scores } = await evaluation.report();
  const tuned = scores.find(({ kind }) => kind === primary);
  const unanswerable = tuneQuestions.filter(({ answers }) => answers.length === 0).length;
  const basis = {
    kind: "tune",
    questions: tuneQuestions.length,
    answerable: tuneQuestions.length - unanswerable,
    unanswerable,
    articles: 2,
    text: `tune: ${tuneQuestions.length} questions of 2 articles`,
  };
  expect(decision).toMatchObject({
    window: { maxTokens: 384, windowOverlapTokens: 128, maxQuestionTokens: 64 },
    maxAnswerTokens: 30,
    nBest: 20,
    noAnswerAllowed: true,
    threshold: { nullOdds: tuned?.nullOddsThreshold, basis },
    calibration: { method: "logistic", basis },
    answerability: null,
  });
  // The calibrated probability of each question is the decision's.
  const { slope = NaN, intercept = NaN } = decision.calibration ?? {};
  for (const { nullOdds, noAnswerProbability } of await evaluation.questions()) {
    expect(noAnswerProbability).toBeCloseTo(1 / (1 + Math.exp(-(slope * nullOdds + intercept))), 12);
  }
});

test("where predict always answers, page, summary, decision.json and history have no threshold", async () => {
  const pipeline = await makePipeline({
    ...{ train, dev, noAnswerAllowed: false },
    answers: { dev: madeUpAnswers(questionsOf(dev), 1), tune: madeUpAnswers(tuneQuestions, 2) },
  });
  pipelines.push(pipeline);
  const { folder } = await runIn(evaluateStage, options, pipeline.folders);
  const text = (name: string) => readFileSync(join(folder, name), "utf8");
  const { noAnswerAllowed, threshold, calibration } = parseDecision("test", JSON.parse(text("decision.json")), "");
  expect({ noAnswerAllowed, calibration }).toEqual({ noAnswerAllowed: false, calibration: null });
  expect(threshold).toMatchObject({
    basis: { kind: "nothing", rule: "none, as an answer is always given (noAnswer in predict.json)" },
  });
  expect(text("summary.md")).toContain("| **always answers** | **–** |");
  expect(text("report.html")).toContain("always answers");
  const { scores, primary } = await (await openEvaluation("test", folder)).report();
  expect(scores.map(({ kind, nullOddsThreshold }) => [kind, nullOddsThreshold])).toEqual([[primary, null]]);
  const { entries } = parseHistory(readFileSync(join(pipeline.folders.artifactsFolder, "history.jsonl"), "utf8"));
  expect(entries).toMatchObject([{ primary: "always", scores: [{ nullOddsThreshold: null }] }]);
});

test("report, summary and decision.json name the rule of the threshold", async () => {
  const { folders } = await pipelineOf();
  for (const [thresholdRule, label, rule] of [
    [
      "bagged",
      "tuned on held-out, bagged",
      /^mean, over 1,000 resamples of the questions, of the thresholds with highest F1/,
    ],
    ["best", "tuned on held-out, best F1", /^highest F1, of equally good ones the nearest to 0$/],
  ] as const) {
    const { folder } = await runIn(evaluateStage, { ...options, thresholdRule }, folders);
    const text = (name: string) => readFileSync(join(folder, name), "utf8");
    expect(parseDecision("test", JSON.parse(text("decision.json")), "").threshold.basis.rule).toMatch(rule);
    expect(text("summary.md")).toContain(`**${label}**`);
    expect(text("report.html")).toContain(label);
    const tuned = (JSON.parse(text("report.json")) as Evaluation).scores.find(({ kind }) => kind === "tuned");
    expect(tuned).toMatchObject({ label, rule: thresholdRule });
  }
});

test("articles with questions of one kind only can be left out of the choice, and report and decision.json say so", async () => {
  const data = structuredClone(train.data);
  const [first] = data;
  for (const paragraph of first!.paragraphs) paragraph.qas = paragraph.qas.filter((qa) => !qa.is_impossible);
  // Four articles held out, the first without any unanswerable question.
  const held = questionsOf({ data }).filter(({ articleIndex }) => articleIndex < 4);
  const answers = { dev: madeUpAnswers(questionsOf(dev), 1), tune: madeUpAnswers(held, 2) };
  const pipeline = await makePipeline({ train: { data }, dev, answers });
  pipelines.push(pipeline);
  const chosen = evaluateOptionsSchema.parse({ bootstrapSamples: 50, tuneArticles: "bothKinds" });
  const { folder, manifest } = await runIn(evaluateStage, chosen, pipeline.folders);
  const kept = held.filter(({ articleIndex }) => articleIndex > 0).length;
  expect(manifest.counts["tuneQuestions"]).toBe(kept);
  const text = readFileSync(join(folder, "decision.json"), "utf8");
  const { basis } = parseDecision("test", JSON.parse(text), "decision.json").threshold;
  expect(basis).toMatchObject({ questions: kept, articles: 3 });
  expect(basis.rule).toContain("in articles with both kinds of question");
  const summary = readFileSync(join(folder, "summary.md"), "utf8");
  expect(summary).toContain(`${held.length - kept} held-out questions of articles with questions of one kind only`);
});

test("questions without labels are not scored, and where no question has any, that is said", async () => {
  const unlabelled = (kept: number): SquadFile => {
    const data = structuredClone(dev.data);
    data
      .flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas))
      .forEach((qa, i) => {
        if (i < kept) return;
        delete qa.answers;
        delete qa.is_impossible;
      });
    return { data };
  };
  for (const kept of [4, 0]) {
    const answers = { dev: madeUpAnswers(questionsOf(dev), 1) };
    const pipeline = await makePipeline({ train, dev: unlabelled(kept), answers });
    pipelines.push(pipeline);
    const run = runIn(evaluateStage, options, pipeline.folders);
    if (kept > 0) expect((await run).manifest.counts).toMatchObject({ questions: kept });
    else await expect(run).rejects.toThrow(/^evaluate: there is nothing to score/);
  }
});

test("a sanity set is scored at the threshold that was chosen without it, and changes nothing else", async () => {
  const { folders: plain } = await pipelineOf();
  const without = await runIn(evaluateStage, options, plain);
  const sanity: SquadFile = { data: sampleFile("dev").data.slice(3, 5) };
  const questions = questionsOf(sanity);
  // A made-up model that is always wrong where there is an answer: it must not move the threshold.
  const wrong = madeUpAnswers(questions, 9, -1);
  const answers = { dev: madeUpAnswers(questionsOf(dev), 1), tune: madeUpAnswers(tuneQuestions, 2), sanity: wrong };
  const pipeline = await makePipeline({ train, dev, sanity, answers });
  pipelines.push(pipeline);
  const lines: string[] = [];
  const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
  const artifact = await runIn(evaluateStage, options, pipeline.folders, reporter);
  const same = ["decision.json", "questions.jsonl", "scores.json"];
  const filesOf = ({ manifest }: typeof artifact) => manifest.files.filter(({ path }) => same.includes(path));
  expect(filesOf(artifact)).toEqual(filesOf(without));
  const evaluation = await openEvaluation("test", artifact.folder);
  const report = JSON.parse(readFileSync(join(artifact.folder, "report.json"), "utf8")) as Evaluation;
  const { sanity: scores, ...others } = report;
  expect(others).toEqual(JSON.parse(readFileSync(join(without.folder, "report.json"), "utf8")));
  expect(scores?.all.total).toBe(questions.length);
  expect(scores?.kinds.map(({ label }) => label)).toEqual(sanity.data.map(({ title }) => title));
  const rows = readFileSync(join(artifact.folder, "sanity.jsonl"), "utf8").trim().split("\n");
  expect(rows.map((row) => (JSON.parse(row) as { id: string }).id)).toEqual(questions.map(({ id }) => id));
  const shown = `${scores?.all.exact.toFixed(2)} +${scores?.all.f1.toFixed(2)}`;
  expect(lines.join("\n")).toMatch(new RegExp(`^all +${questions.length} +${shown}$`, "m"));
  expect(readFileSync(join(artifact.folder, "summary.md"), "utf8")).toContain(
    "| sanity set | questions | exact | F1 |",
  );
  const page = readFileSync(join(artifact.folder, "report.html"), "utf8");
  expect(page).toContain('<h2 id="section-sanity">Sanity set</h2>');
  expect(readFileSync(join(without.folder, "report.html"), "utf8")).not.toContain("section-sanity");
  const history = readFileSync(join(pipeline.folders.artifactsFolder, "history.jsonl"), "utf8");
  expect((JSON.parse(history) as { sanity: unknown }).sanity).toEqual((await evaluation.report()).sanity?.all);
});

test("git runs nothing that a pipeline's own folder configures, and no commit is recorded for one outside the workspace", async () => {
  const { folders } = await pipelineOf();
  const mark = join(folders.pipelineFolder, "ran");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folders.pipelineFolder });
  git("init", "-q");
  git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "x");
  git("config", "core.fsmonitor", `touch ${mark}; false`);
  expect(await currentCommit(folders.pipelineFolder)).toBeNull();
  expect(existsSync(mark)).toBe(false);
});

test("without a tune split it runs, and says what that means", async () => {
  const { folders } = await pipelineOf(1, false);
  const lines: string[] = [];
  const artifact = await runIn(evaluateStage, options, folders, {
    ...silentReporter,
    line: (text) => void lines.push(text),
  });
  const reason = "as no questions were held out of training (tuneShare in tokenize.json)";
  expect(lines.join("\n")).toContain(reason);
  const text = (name: string) => readFileSync(join(artifact.folder, name), "utf8");
  expect(text("summary.md")).toContain(reason);
  expect(parseDecision("test", JSON.parse(text("decision.json")), "").threshold.basis.rule).toBe(`0, ${reason}`);
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
    readFileSync(manifest, "utf8")
      .replace(/"dataset": "[0-9a-f]{64}"/, `"dataset": "${"0".repeat(64)}"`)
      .replace(/,\n {2}"manifestSha256": "[0-9a-f]{64}"/, ""),
  );
  await expect(run()).rejects.toThrow(
    /predictions in .* were made from another dataset than the one in .*\. Run the predict stage again/,
  );
  expect(existsSync(join(folders.artifactsFolder, "evaluate"))).toBe(false);
  expect(existsSync(join(folders.artifactsFolder, "history.jsonl"))).toBe(false);
});
