import { BertqaError, type Question } from "@bertqa/core";
import { scoreQuestions } from "../official/evaluation.ts";
import type { Outcome, QuestionResult } from "../results.ts";
import { scoreAt, type OddsQuestion } from "./odds-question.ts";

const shownIds = 5;

/** What predict says of a split: the best span's text whatever the null odds, and the odds, by question id. */
export interface SplitPredictions {
  readonly bestSpans: Readonly<Record<string, string>>;
  readonly nullOdds: Readonly<Record<string, number>>;
}

/**
 * Scores the best spans of questions, in their order.
 *
 * @throws BertqaError naming the questions without a prediction
 */
export function judgeSpans(
  questions: readonly Question[],
  { bestSpans, nullOdds }: SplitPredictions,
  where: string,
): OddsQuestion[] {
  const isThere = (id: string) => Object.hasOwn(bestSpans, id) && Object.hasOwn(nullOdds, id);
  const missing = questions.filter(({ id }) => !isThere(id)).map(({ id }) => JSON.stringify(id));
  if (missing.length > 0) {
    const more = missing.length > shownIds ? ` and ${missing.length - shownIds} more` : "";
    const problem = `${missing.length} of ${questions.length} questions have no prediction: ${missing.slice(0, shownIds).join(", ")}${more}`;
    throw new BertqaError("evaluate", problem, { remedy: "Run the predict stage again", where });
  }
  const scored = scoreQuestions(questions, (id) => bestSpans[id]).questions;
  return scored.map((question) => ({ ...question, nullOdds: nullOdds[question.id] as number }));
}

/** One question's result at a threshold. */
export function resultAt(
  question: Question,
  judged: OddsQuestion,
  bestSpan: string,
  threshold: number,
  noAnswerProbability: number,
): QuestionResult {
  const { exact, f1 } = scoreAt(judged, threshold);
  const prediction = judged.nullOdds <= threshold ? bestSpan : "";
  return {
    id: question.id,
    articleIndex: question.articleIndex,
    answerable: judged.hasAns,
    prediction,
    exact,
    f1,
    outcome: outcomeOf(judged.hasAns, prediction, exact, f1),
    nullOdds: judged.nullOdds,
    noAnswerProbability,
    bestSpan,
    bestSpanExact: judged.exact,
    bestSpanF1: judged.f1,
  };
}

function outcomeOf(answerable: boolean, prediction: string, exact: number, f1: number): Outcome {
  if (exact === 1) return "right";
  if (!answerable) return "should be no answer";
  if (prediction === "") return "missed answer";
  return f1 > 0 ? "partial" : "wrong";
}
