import type { Question } from "@bertqa/squad";
import { expect, test } from "vitest";
import { questionsToTuneOn } from "../src/analysis/tune-articles.ts";

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
  question("1", "answerable", true),
  question("2", "both", true),
  question("3", "unanswerable", false),
  question("4", "both", false),
  question("5", "answerable", true),
];
const idsFor = (tuneArticles: "all" | "bothKinds") => questionsToTuneOn(heldOut, { tuneArticles }).map(({ id }) => id);

test("articles that hold both kinds of question are kept whole and in order, the others left out", () => {
  expect(idsFor("bothKinds")).toEqual(["2", "4"]);
  expect(idsFor("all")).toEqual(["1", "2", "3", "4", "5"]);
});
