import {
  BertqaError,
  defineStage,
  encoderName,
  evaluationLayout,
  openEvaluation,
  type ArtifactDraft,
  type PredictionSplit,
  type Question,
  type QuestionResult,
  type StageContext,
} from "@bertqa/core";
import { buildReport } from "@bertqa/report";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { analyse } from "./analysis/analyse.ts";
import type { AnsweredSplit } from "./analysis/results.ts";
import { scoreSanitySet } from "./analysis/sanity.ts";
import { questionsToTuneOn, remarksOnArticles } from "./analysis/tune-articles.ts";
import { dataRemarks } from "./data-remarks.ts";
import { decisionOf } from "./decision.ts";
import { recordEvaluation } from "./history.ts";
import { officialScores } from "./official-scores.ts";
import { evaluateOptionsSchema, type EvaluateOptions } from "./options.ts";
import { scoreLines, summaryMarkdown } from "./summary.ts";

const stage = "evaluate";

const reads = {
  dataset: { kind: "dataset", from: "fetch" },
  windows: { kind: "windows", from: "tokenize" },
  model: { kind: "model", from: "train" },
  predictions: { kind: "predictions", from: "predict" },
} as const;
type Inputs = StageContext<EvaluateOptions, typeof reads>["inputs"];

/**
 * Scores dev: officially, at honest thresholds, with intervals and breakdowns; says how to answer with the model; draws the
 * report. The history is kept beside the artifact.
 *
 * Throws a BertqaError if a question has no prediction.
 */
export const evaluateStage = defineStage({
  name: stage,
  summary: "Scores the predictions, chooses thresholds, draws the report",
  options: evaluateOptionsSchema,
  reads,
  writes: "evaluation",
  run: async ({ options, inputs, draft, reporter, pipeline }) => {
    const { dataset, windows, model, predictions } = inputs;
    const dev = await readSplit(inputs, "dev");
    const heldOut = predictions.has("tune") ? await readSplit(inputs, "tune") : null;
    const tune = heldOut && { ...heldOut, ...questionsToTuneOn(heldOut.questions, options) };
    const noAnswerAllowed = predictions.artifact.manifest.resolved["noAnswerAllowed"] !== false;
    const { evaluation: scored, results, tuneQuestions, whyUntuned } = analyse(dev, tune, options, noAnswerAllowed);
    const chosenOn = heldOut && tune && whyUntuned === null ? remarksOnArticles(heldOut.questions, tune, options) : [];
    const remarks = [...scored.remarks, ...chosenOn, ...dataRemarks(dataset.artifact.manifest.counts)];
    const sanity = predictions.has("sanity") ? await readSplit(inputs, "sanity") : null;
    const sanitySet = sanity && scoreSanitySet(sanity, scored);
    const evaluation = { ...scored, ...(sanitySet && { sanity: sanitySet.scores }), remarks };
    for (const line of scoreLines(evaluation)) reporter.line(line);
    const page = buildReport({
      pipeline,
      model: encoderName(dataset.artifact.manifest),
      evaluation,
      results,
      trainingLog: await model.trainingLog(),
      questions: dev.questions,
      nbest: await predictions.nbest("dev"),
      ...(sanity && sanitySet && { sanity: { ...sanity, ...sanitySet, nbest: await predictions.nbest("sanity") } }),
    });
    const decision = decisionOf({
      evaluation,
      tuneQuestions,
      whyUntuned,
      windows: windows.artifact.manifest,
      predictions: predictions.artifact.manifest,
      where: predictions.artifact.folder,
      tuneArticles: tune?.tuneArticles ?? "all",
    });
    const write = writerInto(draft);
    await write("scores", `${JSON.stringify(officialScores(dev, await predictions.predictions("dev")), null, 2)}\n`);
    await write("report", `${JSON.stringify(evaluation, null, 1)}\n`);
    await write("questions", jsonLines(results));
    if (sanitySet) await write("sanity", jsonLines(sanitySet.results));
    await write("decision", `${JSON.stringify(decision, null, 2)}\n`);
    await write("page", page);
    await write("summary", summaryMarkdown(pipeline, evaluation));
    return { counts: evaluation.counts };
  },
  record: async (context) => {
    const evaluation = await openEvaluation(stage, context.artifact.folder);
    await recordEvaluation(context, await evaluation.report());
    context.reporter.line(`report: ${join(context.artifact.folder, evaluationLayout.page)}`);
  },
});

function writerInto(draft: ArtifactDraft) {
  return async (file: keyof typeof evaluationLayout, text: string) =>
    writeFile(await draft.path(evaluationLayout[file]), text);
}

function jsonLines(results: readonly QuestionResult[]): string {
  return results.map((result) => `${JSON.stringify(result)}\n`).join("");
}

/**
 * A split's labelled questions with their predictions; those of `tune` are questions of the train file.
 *
 * @throws BertqaError if none is labelled
 */
async function readSplit({ dataset, predictions }: Inputs, split: PredictionSplit): Promise<AnsweredSplit> {
  const bestSpans = await predictions.bestSpans(split);
  const nullOdds = await predictions.nullOdds(split);
  const all = await dataset.questions(split === "tune" ? "train" : split);
  const isInSplit = ({ id }: Question) => split !== "tune" || Object.hasOwn(bestSpans, id);
  const questions = all.filter((question) => isInSplit(question) && !question.isUnlabelled);
  const where = predictions.artifact.folder;
  if (questions.length === 0 && split !== "tune") {
    const problem = `there is nothing to score: no ${split} question says whether and where it is answered`;
    throw new BertqaError(stage, problem, { remedy: "Its answers are in the predictions", where });
  }
  return { questions, bestSpans, nullOdds, where };
}
