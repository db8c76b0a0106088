import { countOf } from "@bertqa/core";
import { articleKey, type Question } from "@bertqa/squad";
import type { EvaluateOptions } from "../options.ts";

/** Fewer held-out questions choose a threshold by accident. */
export const fewestTuneQuestions = 30;

/** The held-out questions that threshold and calibration are chosen on, and of which articles they are. */
export interface TuneQuestions extends Pick<EvaluateOptions, "tuneArticles"> {
  readonly questions: readonly Question[];
}

/**
 * Leaves out articles with questions of one kind only where that is asked for, and enough questions stay.
 *
 * In SQuAD 2.0's train file many articles hold no question without an answer, since nobody wrote one there, and in its dev
 * file none does. Null odds of such an article's questions say nothing of those where some have no answer: a model that
 * knows the kind of article gives them other odds altogether.
 */
export function questionsToTuneOn(
  heldOut: readonly Question[],
  { tuneArticles }: Pick<EvaluateOptions, "tuneArticles">,
): TuneQuestions {
  const all: TuneQuestions = { questions: heldOut, tuneArticles: "all" };
  if (tuneArticles === "all") return all;
  const articlesWhere = (isAnswerable: boolean) =>
    new Set(heldOut.filter(({ answers }) => answers.length > 0 === isAnswerable).map(articleKey));
  const [some, none] = [articlesWhere(true), articlesWhere(false)];
  const ofBoth = heldOut.filter((question) => some.has(articleKey(question)) && none.has(articleKey(question)));
  return ofBoth.length >= fewestTuneQuestions ? { questions: ofBoth, tuneArticles } : all;
}

/** Which held-out questions a threshold and a calibration were not chosen on, or why they were on all; nothing where none was to be left out. */
export function remarksOnArticles(
  heldOut: readonly Question[],
  chosen: TuneQuestions,
  { tuneArticles }: Pick<EvaluateOptions, "tuneArticles">,
): string[] {
  if (chosen.tuneArticles !== tuneArticles) {
    return [
      `Threshold and calibration were chosen on all held-out questions, as fewer than ${fewestTuneQuestions} are of articles with both kinds (tuneArticles in evaluate.json).`,
    ];
  }
  const leftOut = heldOut.length - chosen.questions.length;
  if (leftOut === 0) return [];
  return [
    `${countOf(leftOut, "held-out question")} of articles with questions of one kind only took no part in the choice of threshold and calibration.`,
  ];
}
