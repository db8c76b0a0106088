import {
  BertqaError,
  openEvaluation,
  readQuestionResults,
  type QuestionResult,
  type ReportHead,
  type SanityScore,
} from "@bertqa/core";
import { keptEvaluations, keptResultsPath, readHistory, type HistoryEntry } from "@bertqa/evaluate";
import { refuseWithout, scoreAt, scoreQuestions } from "@bertqa/squad";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Run, RunQuestion } from "./compare.ts";
import { readPredictions, type NamedQuestion } from "./official/input.ts";

const stage = "compare";

/**
 * Reads a run: an evaluation artifact, or predictions (a folder with `predictions.json`, or the file itself) that are scored
 * here.
 *
 * @param gold questions to score predictions against; null where none were given
 * @param at   "primary", the threshold that an evaluation calls so, or the kind of another of its thresholds
 * @throws BertqaError if there is no such run, or predictions lack gold answers or a question
 */
export async function readRun(path: string, gold: readonly NamedQuestion[] | null, at: string): Promise<Run> {
  if (existsSync(join(path, "report.json"))) {
    const evaluation = await openEvaluation(stage, path);
    const { sanity, ...head } = await evaluation.report();
    return runAt(path, { ...head, ...(sanity && { sanity: sanity.all }) }, await evaluation.questions(), at);
  }
  const file = await predictionsFileOf(path);
  if (!gold) {
    const remedy = "Give the questions with --data dev.json";
    throw new BertqaError(stage, `${path} holds predictions, which need gold answers to be scored`, { remedy });
  }
  return { name: path, threshold: "", questions: scoreFile(file, gold) };
}

/**
 * Reads an earlier evaluation of a pipeline's history.
 *
 * @param wanted  "last" for the newest one that differs from `current`, or the beginning of an evaluation's or commit's hash
 * @param current content hash of the evaluation to compare with; null for predictions that were not evaluated
 * @throws BertqaError if there is none, or its question results are no longer kept
 */
export async function readPastRun(
  artifactsFolder: string,
  wanted: string,
  current: string | null,
  at: string,
): Promise<Run> {
  const remedy = "Name another run with --baseline";
  // Every hash begins with it.
  if (wanted === "") throw new BertqaError(stage, "an empty text names no baseline", { remedy });
  const { entries } = await readHistory(artifactsFolder);
  const isWanted = ({ evaluation, commit }: HistoryEntry) =>
    wanted === "last" ? evaluation !== current : evaluation.startsWith(wanted) || commit?.startsWith(wanted);
  const entry = entries.findLast(isWanted);
  const where = join(artifactsFolder, "history.jsonl");
  if (!entry) {
    const problem =
      wanted === "last"
        ? "the history has no evaluation but the one that is there, so there is nothing to compare it with"
        : `"${wanted}" is no file or folder, and no evaluation or commit of the history begins so`;
    throw new BertqaError(stage, problem, { remedy, where });
  }
  const path = keptResultsPath(artifactsFolder, entry.evaluation);
  if (!existsSync(path)) {
    const problem = `the answers of evaluation ${entry.evaluation.slice(0, 8)} are gone: the last ${keptEvaluations} are kept`;
    throw new BertqaError(stage, problem, { remedy, where: path });
  }
  return runAt(nameOf(entry), entry, await readQuestionResults(stage, path), at);
}

/** `2026-11-25 10:20 UTC, commit abc1234, evaluation 1f2e3d4c`. */
function nameOf({ date, commit, evaluation }: HistoryEntry): string {
  const parts = [`${date.slice(0, 16).replace("T", " ")} UTC`, commit && `commit ${commit}`];
  return [...parts.filter(Boolean), `evaluation ${evaluation.slice(0, 8)}`].join(", ");
}

type Thresholds = Pick<ReportHead, "primary"> & {
  readonly sanity?: SanityScore;
  readonly scores: readonly Pick<ReportHead["scores"][number], "kind" | "nullOddsThreshold">[];
};

/** An evaluation's questions scored at one of its thresholds. */
function runAt(
  name: string,
  { primary, scores, sanity }: Thresholds,
  results: readonly QuestionResult[],
  at: string,
): Run {
  const kind = at === "primary" ? primary : at;
  const row = scores.find((score) => score.kind === kind);
  if (!row) {
    const kinds = scores.map((score) => score.kind).join(", ");
    throw new BertqaError(stage, `${name} has no threshold "${at}", only ${kinds}`);
  }
  const questions = results.map(({ id, asked, article, answerable, bestSpan, bestSpanExact, bestSpanF1, nullOdds }) => {
    const best = { hasAns: answerable, isAnswered: bestSpan !== "", exact: bestSpanExact, f1: bestSpanF1, nullOdds };
    const { isAnswered, exact, f1 } = scoreAt(best, row.nullOddsThreshold);
    return { id, asked, article, answerable, prediction: isAnswered ? bestSpan : "", exact, f1 };
  });
  const threshold = `${kind} ${row.nullOddsThreshold?.toFixed(2) ?? "answers"}`;
  return { name, threshold, questions, ...(sanity && kind === primary && { sanity }) };
}

async function predictionsFileOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  const file = found?.isDirectory() ? join(path, "predictions.json") : path;
  if (found && existsSync(file)) return file;
  const problem = found ? `${path} holds neither report.json nor predictions.json` : `${path} does not exist`;
  throw new BertqaError(stage, problem, { remedy: "Give pipelines, evaluation artifacts or prediction files" });
}

function scoreFile(file: string, gold: readonly NamedQuestion[]): RunQuestion[] {
  const predictionOf = readPredictions(stage, file);
  const { questions, missingIds } = scoreQuestions(gold, predictionOf);
  refuseWithout(stage, "prediction", { ids: missingIds, total: gold.length }, { where: file });
  const articles = new Map(gold.map(({ id, article }) => [id, article]));
  return questions.map(({ id, hasAns, exact, f1 }) => {
    const prediction = predictionOf(id) ?? "";
    return { id, article: articles.get(id) ?? "", answerable: hasAns, prediction, exact, f1 };
  });
}
