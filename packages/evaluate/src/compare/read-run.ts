import { predictionsSchema, readJsonFile } from "@bertqa/core";
import {
  articleKey,
  BertqaError,
  questionsOf,
  scoreAt,
  scoreQuestions,
  squadFileSchema,
  type Question,
} from "@bertqa/squad";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openEvaluation, type ComparableEvaluation } from "../read-evaluation.ts";
import type { ThresholdKind } from "../results.ts";
import type { Run, RunQuestion } from "./compare.ts";

const stage = "compare";

/** What a run's scores are taken at: the threshold it calls its primary one, or another of its thresholds. */
export type ThresholdChoice = "primary" | ThresholdKind;

/**
 * Reads a run: an evaluation artifact, or predictions (a folder with `predictions.json`, or the file itself) that are scored
 * here.
 *
 * @param gold questions to score predictions against; null where none were given
 * @throws BertqaError if there is no such run, or predictions lack gold answers or a question
 */
export async function readRun(path: string, gold: readonly Question[] | null, at: ThresholdChoice): Promise<Run> {
  if (existsSync(join(path, "report.json"))) {
    const { evaluation } = await openEvaluation(stage, path);
    return { name: path, questions: questionsAt(evaluation, at, path) };
  }
  const file = await predictionsFileOf(path);
  if (!gold) {
    const remedy = "Give the questions with --data dev.json";
    throw new BertqaError(stage, `${path} holds predictions, which need gold answers to be scored`, { remedy });
  }
  return { name: path, questions: await scoreFile(file, gold) };
}

/** Reads the gold questions of a SQuAD file. */
export async function readGold(path: string): Promise<Question[]> {
  return questionsOf(await readJsonFile(stage, path, squadFileSchema));
}

/** The evaluation's questions scored at one of its thresholds. */
function questionsAt(evaluation: ComparableEvaluation, at: ThresholdChoice, path: string): RunQuestion[] {
  if (at === "primary" || at === evaluation.primary) return evaluation.questions;
  const row = evaluation.scores.find(({ kind }) => kind === at);
  if (!row) {
    const kinds = evaluation.scores.map(({ kind }) => kind).join(", ");
    throw new BertqaError(stage, `${path} has no threshold "${at}", only ${kinds}`);
  }
  return evaluation.questions.map((question) => {
    const { bestSpan, bestSpanExact: exact, bestSpanF1: f1, nullOdds, answerable: hasAns } = question;
    const scored = scoreAt({ hasAns, isAnswered: bestSpan !== "", exact, f1, nullOdds }, row.nullOddsThreshold);
    const prediction = scored.isAnswered ? bestSpan : "";
    return { id: question.id, article: question.article, prediction, exact: scored.exact, f1: scored.f1 };
  });
}

async function predictionsFileOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  const file = found?.isDirectory() ? join(path, "predictions.json") : path;
  if (found && existsSync(file)) return file;
  const problem = found ? `${path} holds neither report.json nor predictions.json` : `${path} does not exist`;
  throw new BertqaError(stage, problem, { remedy: "Give evaluation artifacts or prediction files" });
}

async function scoreFile(file: string, gold: readonly Question[]): Promise<RunQuestion[]> {
  const predictions = await readJsonFile(stage, file, predictionsSchema);
  const predictionOf = (id: string) => (Object.hasOwn(predictions, id) ? predictions[id] : undefined);
  const { questions, missingIds } = scoreQuestions(gold, predictionOf);
  if (missingIds.length > 0) {
    const named = missingIds.slice(0, 5).map((id) => JSON.stringify(id));
    const problem = `${missingIds.length} of ${gold.length} questions have no prediction: ${named.join(", ")}`;
    throw new BertqaError(stage, problem, { where: file });
  }
  const articles = new Map(gold.map((question) => [question.id, articleKey(question)]));
  return questions.map(({ id, exact, f1 }) => {
    return { id, article: articles.get(id) as string, prediction: predictions[id] as string, exact, f1 };
  });
}
