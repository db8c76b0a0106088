import { articleKey, type Question } from "@bertqa/squad";
import type { EvaluateOptions } from "../options.ts";

/**
 * The held-out questions that threshold and calibration are chosen on.
 *
 * In SQuAD 2.0's train file many articles hold no question without an answer, since nobody wrote one there, and in its dev
 * file none does. Null odds of such an article's questions say nothing of those where some have no answer: a model that
 * knows the kind of article gives them other odds altogether.
 */
export function questionsToTuneOn(
  heldOut: readonly Question[],
  { tuneArticles }: Pick<EvaluateOptions, "tuneArticles">,
): readonly Question[] {
  if (tuneArticles === "all") return heldOut;
  const articlesWhere = (isAnswerable: boolean) =>
    new Set(heldOut.filter(({ answers }) => answers.length > 0 === isAnswerable).map(articleKey));
  const [some, none] = [articlesWhere(true), articlesWhere(false)];
  return heldOut.filter((question) => some.has(articleKey(question)) && none.has(articleKey(question)));
}
