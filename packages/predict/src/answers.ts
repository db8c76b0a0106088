import { answerFrom, type Answer, type AnswerRules, type Passage } from "@bertqa/answers";
import { utf16OfCodePoint } from "@bertqa/core";
import type { SplitPlan } from "./split.ts";

export type AnsweredQuestion = Answer & { readonly id: string; readonly hasSpan: boolean };

/** The answer to each question of a split, in the dataset's order; made one by one, so that candidates need no memory. */
export function* answersOf(plan: SplitPlan, rules: AnswerRules): Generator<AnsweredQuestion> {
  let passage: Passage | undefined;
  for (const { id, context } of plan.questions) {
    const search = plan.searches.get(id);
    if (!search) continue;
    // Questions on one passage follow each other: its positions are counted once.
    if (passage?.text !== context) passage = { text: context, utf16: utf16OfCodePoint(context) };
    yield { id, hasSpan: search.spans.length > 0, ...answerFrom(search, passage, rules) };
  }
}

export interface AnswerCounts {
  readonly questions: number;
  readonly answered: number;
  readonly noAnswer: number;
  /** Questions whose windows hold no eligible span: their answer is "" and their null odds are a constant. */
  readonly withoutSpan: number;
}

export function countAnswers(answers: Iterable<AnsweredQuestion>): AnswerCounts {
  let [questions, answered, withoutSpan] = [0, 0, 0];
  for (const { prediction, hasSpan } of answers) {
    questions++;
    if (prediction !== "") answered++;
    if (!hasSpan) withoutSpan++;
  }
  return { questions, answered, noAnswer: questions - answered, withoutSpan };
}

/**
 * A JSON object as text, one key a line, in the order of the items. `JSON.stringify` of an object would move keys like
 * "123" to the front, and hold the whole text in memory.
 */
export function* jsonObjectLines<T>(
  items: Iterable<T>,
  entryOf: (item: T) => readonly [key: string, value: unknown],
): Generator<string> {
  let separator = "{\n";
  for (const item of items) {
    const [key, value] = entryOf(item);
    yield `${separator}${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    separator = ",\n";
  }
  yield separator === "{\n" ? "{}\n" : "\n}\n";
}
