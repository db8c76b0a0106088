import {
  articleKey,
  BertqaError,
  outcomeOf,
  scoreAt,
  scoreQuestions,
  type OddsQuestion,
  type Question,
} from "@bertqa/squad";
import type { QuestionResult } from "../results.ts";

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
  const scored = scoreAt(judged, threshold);
  return {
    id: question.id,
    article: articleKey(question),
    answerable: judged.hasAns,
    prediction: scored.isAnswered ? bestSpan : "",
    exact: scored.exact,
    f1: scored.f1,
    outcome: outcomeOf(judged.hasAns, scored),
    nullOdds: judged.nullOdds,
    noAnswerProbability,
    bestSpan,
    bestSpanExact: judged.exact,
    bestSpanF1: judged.f1,
  };
}
