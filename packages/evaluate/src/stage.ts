import { defineStage, type PredictionSplit, type Question, type StageContext } from "@bertqa/core";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { analyse, type AnsweredSplit } from "./analysis/analyse.ts";
import { encoderName } from "./model-name.ts";
import { formatPythonJson } from "./official/python-json.ts";
import { officialScores } from "./official-scores.ts";
import { evaluateOptionsSchema, type EvaluateOptions } from "./options.ts";
import { reportFile } from "./read-evaluation.ts";
import { appendHistory, currentCommit } from "./record.ts";
import { buildReport } from "./report/build.ts";
import type { Evaluation } from "./results.ts";
import { historyScores } from "./summary/history.ts";
import { summaryMarkdown } from "./summary/markdown.ts";
import { scoreLines } from "./summary/table.ts";

const stage = "evaluate";

const reads = {
  dataset: { kind: "dataset", from: "fetch" },
  model: { kind: "model", from: "train" },
  predictions: { kind: "predictions", from: "predict" },
} as const;
type Inputs = StageContext<EvaluateOptions, typeof reads>["inputs"];

/**
 * Scores dev: officially, at honest thresholds, with intervals and breakdowns; and draws the report.
 *
 * Throws a BertqaError if the predictions answer other questions than the dataset's.
 */
export const evaluateStage = defineStage({
  name: stage,
  summary: "Scores the predictions, chooses thresholds, draws the report",
  options: evaluateOptionsSchema,
  reads,
  writes: "evaluation",
  run: async ({ options, inputs, draft, reporter, pipeline }) => {
    const dev = await readSplit(inputs, "dev");
    const tune = inputs.predictions.has("tune") ? await readSplit(inputs, "tune") : null;
    const evaluation = analyse(dev, tune, options);
    for (const line of scoreLines(evaluation)) reporter.line(line);
    const scores = officialScores(dev, await inputs.predictions.predictions("dev"));
    const html = buildReport({
      pipeline,
      model: encoderName(inputs.dataset.artifact.manifest.options),
      evaluation,
      trainingLog: await inputs.model.trainingLog(),
      questions: dev.questions,
      bestSpans: dev.bestSpans,
      nbest: await inputs.predictions.nbest("dev"),
    });
    await writeFile(await draft.path("scores.json"), `${formatPythonJson(scores, {}, true)}\n`);
    await writeFile(await draft.path(reportFile), `${JSON.stringify(evaluation, null, 1)}\n`);
    await writeFile(await draft.path("report.html"), html);
    await writeFile(await draft.path("summary.md"), summaryMarkdown(pipeline, evaluation, null));
    return { counts: evaluation.counts };
  },
  record: async ({ artifact, inputs, pipelineFolder, artifactsFolder, reporter, elapsedMs }) => {
    await appendHistory(join(artifactsFolder, "history.jsonl"), {
      date: new Date().toISOString(),
      evaluation: artifact.manifest.contentSha256,
      commit: await currentCommit(pipelineFolder),
      options: artifact.manifest.options,
      inputs,
      scores: historyScores(JSON.parse(await readFile(await artifact.file(reportFile), "utf8")) as Evaluation),
      elapsedMs: Math.round(elapsedMs),
    });
    reporter.line(`report: ${await artifact.file("report.html")}`);
  },
});

/** A split's questions with their predictions; those of `tune` are questions of the train file. */
async function readSplit(
  { dataset, predictions }: Pick<Inputs, "dataset" | "predictions">,
  split: PredictionSplit,
): Promise<AnsweredSplit> {
  const bestSpans = await predictions.bestSpans(split);
  const nullOdds = await predictions.nullOdds(split);
  const all = await dataset.questions(split === "tune" ? "train" : "dev");
  const isInSplit = ({ id }: Question) => split === "dev" || Object.hasOwn(bestSpans, id);
  return { questions: all.filter(isInSplit), bestSpans, nullOdds, where: predictions.artifact.folder };
}
