import type { Question } from "@bertqa/squad";
import { expect, test } from "vitest";
import { questionsToTuneOn, remarksOnArticles } from "../src/analysis/tune-articles.ts";

const question = (id: string, article: string, isAnswerable: boolean): Question => ({
  id,
  article,
  articleIndex: 0,
  paragraphIndex: 0,
  question: "Who?",
  context: "Ada bakes.",
  answers: isAnswerable ? [{ text: "Ada", startCodePoint: 0 }] : [],
});

const heldOut = [
  question("only answerable", "answerable", true),
  ...Array.from({ length: 29 }, (_, i) => question(`both ${i}`, "both", i % 2 === 0)),
  question("only unanswerable", "unanswerable", false),
  question("both 29", "both", true),
];
const chosenFrom = (questions: readonly Question[], tuneArticles: "all" | "bothKinds") => {
  const chosen = questionsToTuneOn(questions, { tuneArticles });
  return { ids: chosen.questions.map(({ id }) => id), tuneArticles: chosen.tuneArticles };
};
const idsOf = (questions: readonly Question[]) => questions.map(({ id }) => id);

test("articles that hold both kinds of question are kept whole and in order, the others left out", () => {
  const both = idsOf(heldOut).filter((id) => id.startsWith("both"));
  expect(chosenFrom(heldOut, "bothKinds")).toEqual({ ids: both, tuneArticles: "bothKinds" });
  expect(chosenFrom(heldOut, "all")).toEqual({ ids: idsOf(heldOut), tuneArticles: "all" });
});

test("where fewer than 30 questions would be left, all are taken, and that is said", () => {
  const fewer = heldOut.slice(0, -1);
  expect(chosenFrom(fewer, "bothKinds")).toEqual({ ids: idsOf(fewer), tuneArticles: "all" });
  const remarks = (wanted: "all" | "bothKinds") =>
    remarksOnArticles(fewer, questionsToTuneOn(fewer, { tuneArticles: wanted }), { tuneArticles: wanted });
  expect(remarks("bothKinds")).toEqual([expect.stringContaining("on all held-out questions, as fewer than 30 are")]);
  expect(remarks("all")).toEqual([]);
});
