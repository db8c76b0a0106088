import { questionsOf, type BertConfig } from "@bertqa/core";
import { expect, test } from "vitest";
import { longAnswers, planSplit, requireReadableCandidates, surveyShards, type SplitSurvey } from "../src/split.ts";
import { squadFile, windowsOf } from "./fixture.ts";

const questions = questionsOf(squadFile([["a b", ["7", "?"], ["x", "?"], ["3", "?"]]]));
const model = { maxPositions: 64, vocabularySize: 37 } as BertConfig;
const limits = { nBest: 20, maxAnswerTokens: 30 };

const surveyOf = (ids: string[], extra: Partial<SplitSurvey> = {}): SplitSurvey => ({
  windowCount: ids.length,
  longestWindowTokens: 64,
  highestTokenId: 36,
  questionIds: new Set(ids),
  answerTokens: new Map(),
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

test("answers that no searched span is as long as are counted, with the longest", async () => {
  // Four words a window and half of them shared: "7" is labelled in its second window, tokens 4 to 6, of 3 tokens.
  const shard = windowsOf(questionsOf(squadFile([["a b c d e f", ["7", "?"], ["x", "?"]]])), 4);
  shard.startPosition[1] = 4;
  shard.endPosition[1] = 6;
  const survey = await surveyShards(
    (async function* () {
      yield shard;
    })(),
  );
  expect([...survey.answerTokens]).toEqual([["7", 3]]);
  expect(longAnswers(survey, 2)).toEqual({ tooLong: 1, longest: 3 });
  expect(longAnswers(survey, 3)).toEqual({ tooLong: 0, longest: 3 });
});

test("more candidates than evaluate can read as one text are refused before the first batch, with what fits", () => {
  // SQuAD 2.0's dev questions: 2,500,000 / 11,873 = 210.6
  requireReadableCandidates("predict", "dev", 11_873, 210);
  expect(() => requireReadableCandidates("predict", "dev", 11_873, 1000)).toThrow(
    "predict: 11,873 dev questions with nBest 1000 make 11,873,000 candidates, more than the 2,500,000 that evaluate can read. " +
      "Set nBest to 210 or less in predict.json.",
  );
  expect(() => requireReadableCandidates("predict", "dev", 3_000_000, 1)).toThrow("Keep fewer questions");
});
