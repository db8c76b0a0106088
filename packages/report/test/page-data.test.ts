import type { Candidate } from "@bertqa/core";
import { BertqaError, type Question } from "@bertqa/squad";
import { expect, test } from "vitest";
import { filters, Questions, select } from "../src/browser/questions.ts";
import { packPageData } from "../src/pack.ts";
import { answerIn, hostileQuestion, reportDataOf, sampleReportData } from "./support/report-data.ts";

const data = sampleReportData();
const page = packPageData(data);
const questions = new Questions(JSON.parse(JSON.stringify(page)));
const allOf = (filter: number, threshold = 0) => ({ filter, threshold, order: 0, search: "" });

test("every gold answer, best span and candidate comes back from its offsets as the text it was", () => {
  data.questions.forEach((question, index) => {
    const texts = new Set(questions.gold(index).map((answer) => answer.text));
    expect(texts).toEqual(new Set(question.answers.map((answer) => answer.text)));
    expect(questions.textOf(index, page.questions.best[index] ?? "")).toBe(data.results[index]?.bestSpan);
    const textsOf = (candidates: readonly { text: string }[] = []) => new Set(candidates.map(({ text }) => text));
    expect(textsOf(questions.candidates(index))).toEqual(textsOf(data.nbest[question.id]));
  });
});

test("there is one probability of no answer, the calibrated one; the spans share the rest by their scores", () => {
  // Scores 3.75 and 3.75 − ln 3: the spans share 1 − p as 3 to 1.
  const { id } = hostileQuestion;
  const made = reportDataOf([hostileQuestion], { [id]: "forty-two" }, { [id]: 2 });
  const [best, none] = made.nbest[id] as readonly [Candidate, Candidate];
  const worse: Candidate = { ...best, utf16: [0, 6], start_logit: best.start_logit - Math.log(3) };
  const shown = new Questions(packPageData({ ...made, nbest: { [id]: [none, worse, best] } }));
  const p = made.results[0]?.noAnswerProbability ?? NaN;
  const probabilityOf = (text: string) => shown.candidates(0).find((candidate) => candidate.text === text)?.probability;
  expect(shown.data.questions.noAnswerProbability[0]).toBeCloseTo(p, 4);
  expect(probabilityOf("")).toBeCloseTo(p, 4);
  expect(probabilityOf("forty-two")).toBeCloseTo((1 - p) * 0.75, 4);
  expect(probabilityOf("Before")).toBeCloseTo((1 - p) * 0.25, 4);
});

test("without a threshold the browser shows the best span, whatever its null odds", () => {
  const { id } = hostileQuestion;
  const made = reportDataOf([hostileQuestion], { [id]: "<b>forty-two</b>" }, { [id]: 9 });
  const shown = new Questions(packPageData(made));
  expect(shown.outcome(0, 0)).toBe("missed answer");
  expect(shown.scores(0, null)).toEqual({ isAnswered: true, exact: 1, f1: 1 });
  expect(select(shown, { filter: 0, threshold: null, order: 1, search: "" }).shown).toEqual([0]);
});

test("passages and articles are stored once each", () => {
  expect(page.contexts).toEqual([...new Set(data.questions.map((question) => question.context))]);
  expect(page.articles).toEqual([...new Set(data.questions.map((question) => question.article))]);
});

test("an answer after an astral character is placed in UTF-16 units, equal answers are counted, others kept as text", () => {
  // "𝄞 b" is 3 code points and 4 UTF-16 units: b is code point 2 and unit 3.
  const context = "𝄞 b";
  const answers = [answerIn(context, "b"), answerIn(context, "b"), { text: "elsewhere", startCodePoint: 0 }];
  const question: Question = { ...hostileQuestion, context, answers };
  const { gold, best } = packPageData(reportDataOf([question], { [question.id]: "b" }, { [question.id]: 0 })).questions;
  expect(gold).toEqual([
    [
      [[3, 4], 2],
      ["elsewhere", 1],
    ],
  ]);
  expect(best).toEqual([[3, 4]]);
});

test("a best span without candidates lies where the passage first holds it, or is kept as text", () => {
  const bare = (bestSpan: string) => {
    const made = reportDataOf([hostileQuestion], { [hostileQuestion.id]: bestSpan }, { [hostileQuestion.id]: 0 });
    return packPageData({ ...made, nbest: {} }).questions;
  };
  expect(bare("Before")).toMatchObject({ best: [[0, 6]], candidates: [[]] });
  expect(bare("not in it")).toMatchObject({ best: ["not in it"] });
});

test("the browser's outcome at the primary threshold is the evaluation's, for every question", () => {
  const threshold = page.thresholds[page.primary]?.nullOdds ?? NaN;
  const outcomes = data.questions.map((_, index) => questions.outcome(index, threshold));
  expect(outcomes).toEqual(data.results.map((result) => result.outcome));
  expect(new Set(outcomes).size).toBeGreaterThan(3);
});

test("the mean of the browser's scores is the scores table's, at every threshold", () => {
  for (const row of data.evaluation.scores) {
    const scores = data.questions.map((_, index) => questions.scores(index, row.nullOddsThreshold));
    const mean = (of: "exact" | "f1") => (100 * scores.reduce((sum, score) => sum + score[of], 0)) / scores.length;
    expect(mean("exact")).toBeCloseTo(row.all.exact.value, 6);
    expect(mean("f1")).toBeCloseTo(row.all.f1.value, 1); // F1 is kept to four decimals
  }
});

test("the filters of wrong answers part the errors, and errors and right answers part all", () => {
  const counts = new Map<string | undefined, number>(
    select(questions, allOf(0)).counts.map((count, index) => [filters[index]?.name, count] as const),
  );
  const of = (name: string) => counts.get(name) ?? NaN;
  expect(of("Should be no answer") + of("Missed answer") + of("Wrong span") + of("Partial")).toBe(of("Errors"));
  expect(of("Errors") + of("Right")).toBe(of("All"));
  expect(of("All")).toBe(data.questions.length);
});

test("a threshold below all null odds leaves no answers: unanswerable questions right, all others missed", () => {
  const { counts } = select(questions, allOf(0, -1000));
  const answerable = data.questions.filter((question) => question.answers.length > 0).length;
  expect(counts[filters.findIndex(({ name }) => name === "Missed answer")]).toBe(answerable);
  expect(counts[filters.findIndex(({ name }) => name === "Right")]).toBe(data.questions.length - answerable);
});

test("search finds id, article, question and answers, whatever the case", () => {
  const hostile = data.questions.length - 1;
  for (const search of ["HOSTILE/1", "<script>ART", "Really", "<B>forty", " forty-TWO "]) {
    expect(select(questions, { ...allOf(0), search }).shown).toContain(hostile);
  }
  expect(select(questions, { ...allOf(0), search: "no such words" }).shown).toEqual([]);
});

test("the nearest order lists by distance from the threshold, the farthest order the other way round", () => {
  const distance = (index: number) => Math.abs((page.questions.nullOdds[index] ?? 0) - 1);
  const distances = (order: number) => select(questions, { ...allOf(0, 1), order }).shown.map(distance);
  const ascending = data.questions.map((_, index) => distance(index)).sort((a, b) => a - b);
  expect(distances(2)).toEqual(ascending);
  expect(distances(1)).toEqual(ascending.toReversed());
});

test("results of other questions are refused by number and name", () => {
  const [first, ...rest] = data.questions;
  expect(() => packPageData({ ...data, questions: rest })).toThrow(BertqaError);
  expect(() => packPageData({ ...data, questions: [...rest, first as Question] })).toThrow(/question 0 is/);
});
