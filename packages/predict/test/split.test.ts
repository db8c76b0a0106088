import { questionsOf, type BertConfig } from "@bertqa/core";
import { expect, test } from "vitest";
import { planSplit, type SplitSurvey } from "../src/split.ts";
import { squadFile } from "./fixture.ts";

const questions = questionsOf(squadFile([["a b", ["7", "?"], ["x", "?"], ["3", "?"]]]));
const model = { maxPositions: 64, vocabularySize: 37 } as BertConfig;
const limits = { nBest: 20, maxAnswerTokens: 30 };

const surveyOf = (ids: string[], extra: Partial<SplitSurvey> = {}): SplitSurvey => ({
  windowCount: ids.length,
  longestWindowTokens: 64,
  highestTokenId: 36,
  questionIds: new Set(ids),
  ...extra,
});

test("dev keeps all questions in the dataset's order, tune those that its windows name", () => {
  const idsOf = (split: "dev" | "tune", ids: string[]) => [
    ...planSplit("predict", split, surveyOf(ids), questions, model, limits).searches.keys(),
  ];
  expect(idsOf("dev", ["3", "7"])).toEqual(["7", "x", "3"]);
  expect(idsOf("tune", ["3", "7"])).toEqual(["7", "3"]);
});

test("windows of a question that the dataset lacks are refused by its id", () => {
  expect(() => planSplit("predict", "dev", surveyOf(["7", "y"]), questions, model, limits)).toThrow(
    'predict: the dev windows name 1 question that the dataset does not have: "y". Run the tokenize stage again.',
  );
});

test("windows that the model has no place for are refused with both numbers", () => {
  const plan = (extra: Partial<SplitSurvey>) =>
    planSplit("predict", "dev", surveyOf(["7"], extra), questions, model, limits);
  expect(() => plan({ longestWindowTokens: 65 })).toThrow(
    "the longest dev window has 65 tokens, the model 64 positions",
  );
  expect(() => plan({ highestTokenId: 37 })).toThrow("a dev window has token id 37, the model ids below 37");
});
