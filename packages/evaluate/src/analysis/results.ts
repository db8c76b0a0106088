import { sha256Of, type QuestionResult } from "@bertqa/core";
import {
  articleKey,
  outcomeOf,
  refuseWithout,
  scoreAt,
  scoreQuestions,
  shownNoAnswerProbability,
  type Calibration,
  type OddsQuestion,
  type Question,
} from "@bertqa/squad";

/** A split's questions with what predict says of them, by question id. */
export interface AnsweredSplit {
  readonly questions: readonly Question[];
  /** Text of the best span, whatever the null odds. */
  readonly bestSpans: Readonly<Record<string, string>>;
  readonly nullOdds: Readonly<Record<string, number>>;
  /** The predictions' folder, for messages. */
  readonly where: string;
}

/** A split's questions scored by their best spans. @throws BertqaError naming the questions without a prediction */
export function scoreSpans({ questions, bestSpans, nullOdds, where }: AnsweredSplit): OddsQuestion[] {
  const isThere = (id: string) => Object.hasOwn(bestSpans, id) && Object.hasOwn(nullOdds, id);
  const ids = questions.map(({ id }) => id).filter((id) => !isThere(id));
  const missing = { ids, total: questions.length };
  refuseWithout("evaluate", "prediction", missing, { remedy: "Run the predict stage again", where });
  const scored = scoreQuestions(questions, (id) => bestSpans[id]).questions;
  return scored.map((question) => ({ ...question, nullOdds: nullOdds[question.id] as number }));
}

/**
 * A split's questions at a threshold.
 *
 * @param threshold null where an answer is always given
 * @param scored    of {@link scoreSpans}, in the same order
 */
export function resultsAt(
  threshold: number | null,
  { questions, bestSpans }: AnsweredSplit,
  scored: readonly OddsQuestion[],
  calibration: Calibration,
): QuestionResult[] {
  return questions.map((question, i) =>
    resultAt(threshold, question, scored[i] as OddsQuestion, calibration, bestSpans),
  );
}

function resultAt(
  threshold: number | null,
  question: Question,
  scored: OddsQuestion,
  calibration: Calibration,
  bestSpans: AnsweredSplit["bestSpans"],
): QuestionResult {
  const { isAnswered, exact, f1 } = scoreAt(scored, threshold);
  const bestSpan = bestSpans[question.id] as string;
  return {
    id: question.id,
    asked: sha256Of(JSON.stringify([question.question, question.context])).slice(0, 16),
    article: articleKey(question),
    answerable: scored.hasAns,
    prediction: isAnswered ? bestSpan : "",
    exact,
    f1,
    outcome: outcomeOf(scored.hasAns, { isAnswered, exact, f1 }),
    nullOdds: scored.nullOdds,
    noAnswerProbability: shownNoAnswerProbability(scored, calibration, threshold !== null),
    bestSpan,
    bestSpanExact: scored.exact,
    bestSpanF1: scored.f1,
  };
}
