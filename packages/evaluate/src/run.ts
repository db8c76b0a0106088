import {
  BertqaError,
  countOf,
  formatDuration,
  openDataset,
  openModel,
  openPredictions,
  stageArtifactFolder,
  writeArtifact,
  type Artifact,
  type DatasetArtifact,
  type ModelArtifact,
  type PredictionsArtifact,
  type PredictionSplit,
  type Question,
  type Reporter,
  type StageFolders,
} from "@bertqa/core";
import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { analyse, type AnsweredSplit } from "./analysis/analyse.ts";
import { lastRunOf, type OldEvaluation } from "./last-run.ts";
import { encoderName } from "./model-name.ts";
import { formatPythonJson } from "./official/python-json.ts";
import { officialScores } from "./official-scores.ts";
import type { EvaluateOptions } from "./options.ts";
import { openEvaluation, reportFile } from "./read-evaluation.ts";
import { appendHistory, currentCommit, readHistoryText } from "./record.ts";
import { buildReport } from "./report/build.ts";
import type { Evaluation } from "./results.ts";
import { historyScores, parseHistory } from "./summary/history.ts";
import { summaryMarkdown, type LastRun } from "./summary/markdown.ts";
import { scoreLines } from "./summary/table.ts";

const stage = "evaluate";

/**
 * Scores dev: officially, at honest thresholds, with intervals and breakdowns; and writes the report.
 *
 * Reads the artifacts of fetch, train and predict; writes `evaluate` in `folders`, and one line to `history.jsonl` beside it.
 * Equal inputs give equal bytes; `summary.md` alone depends on the history, and is kept as a log.
 *
 * @throws BertqaError if an input is missing or damaged, or the predictions answer other questions than the dataset's
 */
export async function runEvaluate(
  options: EvaluateOptions,
  folders: StageFolders,
  reporter: Reporter,
): Promise<Artifact> {
  const startedMs = performance.now();
  const inputs = await openInputs(folders);
  const dev = await readSplit(inputs, "dev");
  const tune = inputs.predictions.has("tune") ? await readSplit(inputs, "tune") : null;
  const evaluation = analyse(dev, tune, options);
  for (const line of scoreLines(evaluation)) reporter.line(line);

  const historyPath = join(folders.artifactsFolder, "history.jsonl");
  const { entries, brokenLines } = parseHistory(await readHistoryText(historyPath));
  if (brokenLines > 0) reporter.line(`warning: skipped ${countOf(brokenLines, "broken line")} of ${historyPath}`);
  const plan = { samples: options.bootstrapSamples, seed: options.seed };
  const lastRun = lastRunOf(entries, await openOldEvaluation(folders), evaluation, plan);
  const artifact = await writeEvaluation({ options, folders, inputs, dev, evaluation, lastRun });

  const elapsedMs = Math.round(performance.now() - startedMs);
  await appendHistory(historyPath, {
    date: new Date().toISOString(),
    evaluation: artifact.manifest.contentSha256,
    commit: await currentCommit(folders.pipelineFolder),
    options,
    inputs: inputs.sha256,
    scores: historyScores(evaluation),
    elapsedMs,
  });
  reporter.line(`report: ${artifact.path("report.html")} · ${formatDuration(elapsedMs)}`);
  return artifact;
}

interface Inputs {
  readonly dataset: DatasetArtifact;
  readonly model: ModelArtifact;
  readonly predictions: PredictionsArtifact;
  /** Content of each, for the manifest. */
  readonly sha256: Readonly<Record<"dataset" | "model" | "predictions", string>>;
}

async function openInputs(folders: StageFolders): Promise<Inputs> {
  const dataset = await openDataset(stage, stageArtifactFolder(folders, "fetch"));
  const model = await openModel(stage, stageArtifactFolder(folders, "train"));
  const predictions = await openPredictions(stage, stageArtifactFolder(folders, "predict"));
  const sha256 = {
    dataset: dataset.artifact.manifest.contentSha256,
    model: model.artifact.manifest.contentSha256,
    predictions: predictions.artifact.manifest.contentSha256,
  };
  const made = Object.values(predictions.artifact.manifest.inputs);
  for (const [name, sha] of Object.entries({ dataset: sha256.dataset, model: sha256.model })) {
    if (made.includes(sha)) continue;
    const where = predictions.artifact.folder;
    const remedy = "Run the predict stage again";
    throw new BertqaError(stage, `the predictions were made from another ${name} than the one there now`, {
      remedy,
      where,
    });
  }
  return { dataset, model, predictions, sha256 };
}

/** A split's questions with their predictions; those of `tune` are questions of the train file. */
async function readSplit({ dataset, predictions }: Inputs, split: PredictionSplit): Promise<AnsweredSplit> {
  const bestSpans = await predictions.bestSpans(split);
  const nullOdds = await predictions.nullOdds(split);
  const all = await dataset.questions(split === "tune" ? "train" : "dev");
  const isInSplit = ({ id }: Question) => split === "dev" || Object.hasOwn(bestSpans, id);
  return { questions: all.filter(isInSplit), bestSpans, nullOdds, where: predictions.artifact.folder };
}

/** The evaluation that this run replaces, if a whole one is there. */
async function openOldEvaluation(folders: StageFolders): Promise<OldEvaluation | null> {
  try {
    return await openEvaluation(stage, stageArtifactFolder(folders, stage));
  } catch (error) {
    if (error instanceof BertqaError) return null;
    throw error;
  }
}

interface Results {
  readonly options: EvaluateOptions;
  readonly folders: StageFolders;
  readonly inputs: Inputs;
  readonly dev: AnsweredSplit;
  readonly evaluation: Evaluation;
  readonly lastRun: LastRun | null;
}

async function writeEvaluation({ options, folders, inputs, dev, evaluation, lastRun }: Results): Promise<Artifact> {
  const { dataset, model, predictions } = inputs;
  const pipeline = basename(resolve(folders.artifactsFolder));
  const scores = officialScores(dev, await predictions.predictions("dev"));
  const html = buildReport({
    pipeline,
    model: encoderName(dataset.artifact.manifest.options),
    evaluation,
    trainingLog: await model.trainingLog(),
    questions: dev.questions,
    bestSpans: dev.bestSpans,
    nbest: await predictions.nbest("dev"),
  });
  return writeArtifact(stage, stageArtifactFolder(folders, stage), async (draft) => {
    await writeFile(await draft.path("scores.json"), `${formatPythonJson(scores, {}, true)}\n`);
    await writeFile(await draft.path(reportFile), `${JSON.stringify(evaluation, null, 1)}\n`);
    // The log of training may be gone while the model is the same: what is drawn from it stays out of the content's hash.
    await writeFile(await draft.path("report.html", { log: true }), html);
    await writeFile(await draft.path("summary.md", { log: true }), summaryMarkdown(pipeline, evaluation, lastRun));
    return { kind: "evaluation", options, counts: evaluation.counts, versions: {}, inputs: inputs.sha256 };
  });
}
