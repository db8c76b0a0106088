import { rowsOfArticles, squadText } from "@bertqa/squad";
import { expect, test } from "vitest";
import { checkDataset, countsFor, hintsFor } from "../src/dataset.ts";
import { describeProblems } from "../src/problems.ts";
import { devFile, squad, trainFile } from "./support.ts";

const split = (file: { data: unknown[] }) => ({ rows: rowsOfArticles(file.data, "data") });
const answered = (id: string) => ({ id, question: "Where?", answers: [{ text: "the Alps", answer_start: 19 }] });
const context = "The Rhine rises in the Alps.";

test("splits are written in SQuAD 2.0's keys, whatever else their files hold", () => {
  const file = squad(context, [{ ...answered("a"), note: "x", answers: { text: ["the Alps"], answer_start: [19] } }]);
  const { data } = checkDataset({ train: split(file), dev: split(devFile) });
  expect(JSON.parse(squadText("fetch", data.train, ""))).toEqual({
    version: "v2.0",
    data: [{ title: "Rivers", paragraphs: [{ context, qas: [{ ...answered("a"), is_impossible: false }] }] }],
  });
});

test("counts name what was lost; an id may stand in both splits", () => {
  const dev = squad(context, [{ ...answered("t-1"), answers: [{ text: "the Andes", answer_start: 19 }] }]);
  const dataset = checkDataset({ train: split(trainFile), dev: split(dev) });
  expect(countsFor(dataset)).toEqual({
    ...{ trainArticles: 1, trainParagraphs: 1, trainQuestions: 2, trainUnanswerable: 1, trainSkipped: 0 },
    ...{ devArticles: 1, devParagraphs: 1, devQuestions: 1, devUnanswerable: 0, devSkipped: 0 },
    ...{ devLostLabel: 1, devPassagesInTrain: 1 },
  });
});

test("hints name what is likely not meant", () => {
  const [easy, unlabelled] = [squad(context, [answered("a")]), squad("x", [{ id: "q", question: "Why?" }])];
  expect(hintsFor(checkDataset({ train: split(easy), dev: split(devFile) }))).toEqual([
    "dev has 1 unanswerable question, train none: the model never learns to say that there is no answer",
  ]);
  expect(hintsFor(checkDataset({ train: split(trainFile), dev: split(easy) }))).toEqual([
    "train has 1 unanswerable question, dev none: the scores do not show whether the model tells them apart",
    "1 passage of dev's 1 also stand in train: the scores will be too high",
  ]);
  expect(hintsFor(checkDataset({ train: split(easy), dev: split(unlabelled) }))).toEqual([
    "dev has no answers: its questions are answered, and there is nothing to score",
  ]);
});

test("extra is read as train is, and a scored passage that stands in it is seen", () => {
  const moved = squad(context, [{ ...answered("x"), answers: [{ text: "the Andes", answer_start: 19 }] }]);
  const bad = checkDataset({ train: split(trainFile), dev: split(devFile), extra: split(moved) });
  expect(describeProblems(bad.problems).filter((line) => line.startsWith("extra"))).toHaveLength(1);
  const easy = squad("x", [{ id: "q", question: "Why?", answers: [{ text: "x", answer_start: 0 }] }]);
  const dataset = checkDataset({ train: split(easy), dev: split(devFile), extra: split(devFile) });
  expect(countsFor(dataset)).toMatchObject({ trainQuestions: 1, extraQuestions: 2, extraUnanswerable: 1 });
  // Nothing is said of a train without unanswerable questions, since extra has one.
  expect(hintsFor(dataset)).toEqual(["1 passage of dev's 1 also stand in train: the scores will be too high"]);
});

test("a sanity set is read as dev is, and counted beside it", () => {
  const sanity = squad(context, [{ ...answered("s"), answers: [{ text: "the Andes", answer_start: 19 }] }]);
  const dataset = checkDataset({ train: split(trainFile), dev: split(devFile), sanity: split(sanity) });
  const { sanityQuestions, sanityLostLabel, sanityPassagesInTrain } = countsFor(dataset);
  expect({ sanityQuestions, sanityLostLabel, sanityPassagesInTrain }).toEqual({
    ...{ sanityQuestions: 1, sanityLostLabel: 1, sanityPassagesInTrain: 1 },
  });
  expect(hintsFor(dataset)).toEqual(["1 passage of sanity's 1 also stand in train: the scores will be too high"]);
  const without = countsFor(checkDataset({ train: split(trainFile), dev: split(devFile) }));
  expect(Object.keys(without).filter((name) => name.startsWith("sanity"))).toEqual([]);
});
