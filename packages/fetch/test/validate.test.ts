import { expect, test } from "vitest";
import { checkDataset, countsFor, hintsFor, serializeSplit } from "../src/dataset.ts";
import { describeProblems, type Problem } from "../src/problems.ts";
import { contextText, describeMismatch } from "../src/validate-answer.ts";
import { checkSplit } from "../src/validate.ts";
import { devFile, squad, trainFile } from "./support.ts";

const context = "The Rhine rises in the Alps.";
const asked = (id: string, answer: string, start: number) => ({
  id,
  question: "Where?",
  answers: [{ text: answer, answer_start: start }],
});
const problemsOf = (file: { data: unknown[] }) => checkSplit("train", file.data).problems;
const kindsOf = (problems: readonly Problem[]) => problems.map((problem) => problem.kind);

test("an answer that equals the slice of its context is right, in any script", () => {
  // "𝄞 " takes 2 code points but 3 UTF-16 units, so "clef" starts at 4 for Python and at 5 for JavaScript.
  const file = squad("𝄞 a clef", [asked("q", "clef", 4)]);
  expect(problemsOf(file)).toEqual([]);
});

test("an offset in UTF-16 units is named as one, with the code point offset", () => {
  expect(describeMismatch(contextText("𝄞 a clef"), "clef", 5)).toBe(
    'answer "clef" differs from its context, which holds "lef" at 5; found at 4: answer_start counts UTF-16 units here, expected code points (as Python counts)',
  );
});

test("a wrong offset is reported with the nearest place of the text", () => {
  // "a" is at 0, 2 and 6; 5 is nearest to 6.
  expect(describeMismatch(contextText("a a b a"), "a", 5)).toContain('holds " " at 5; found at 6 (and 2 more)');
});

test("an answer that is not in the context, one past its end, one of another Unicode normal form", () => {
  expect(describeMismatch(contextText(context), "the Rhone", 4)).toContain("the text is not in the context");
  expect(describeMismatch(contextText(context), "Alps", 99)).toContain(
    "starts at 99, past the context's 28 characters",
  );
  expect(describeMismatch(contextText("cafe\u0301"), "caf\u00e9", 0)).toContain("only after Unicode normalization");
});

test("every problem of a file is reported, each with article, paragraph, question id and JSON path", () => {
  const file = squad(context, [
    asked("", "the Alps", 19),
    { ...asked("empty-question", "the Alps", 19), question: " " },
    asked("empty-answer", "", 19),
    asked("blank-answer", " ", 3),
    asked("off-by-one", "the Alps", 18),
    { ...asked("contradiction", "the Alps", 19), is_impossible: true },
    { id: "no-answer", question: "Why?", answers: [] },
    asked("nul", "the Alps", 19),
    asked("nul", "the Alps", 19),
    { ...asked("zero", "the Alps", 19), question: "a\0b" },
    { ...asked("half", "the Alps", 19), question: "a\ud83d" },
    { ...asked("x", "the Alps", 19), id: 12 },
    { id: "text-start", question: "Why?", answers: [{ text: "Alps", answer_start: "23" }] },
    "not an object",
    asked("good", "the Alps", 19),
  ]);
  const { problems, data } = checkSplit("train", file.data);
  expect(kindsOf(problems)).toEqual([
    ...["EmptyText", "EmptyText", "EmptyText", "EmptyText", "AnswerMismatch", "UnexpectedAnswer", "MissingAnswer"],
    ...["DuplicateId", "BadCharacter", "BadCharacter", "Shape", "Shape", "Shape"],
  ]);
  expect(problems[4]).toMatchObject({
    where: 'article "Rivers", paragraph 1, question "off-by-one" (data[0].paragraphs[0].qas[4])',
    what: 'answer "the Alps" differs from its context, which holds " the Alp" at 18; found at 19',
  });
  expect(problems[11]?.what).toMatch(/^answers\.0\.answer_start: .*expected number/);
  // The first of the two with id "nul" and the last of all are good.
  expect(data[0]?.paragraphs[0]?.qas.map((qa) => qa.id)).toEqual(["nul", "good"]);
  expect(describeProblems(problems)).toHaveLength(13);
});

test("a bad context or article takes all of its questions out, and is reported once", () => {
  const qas = [asked("a", "x", 0), asked("b", "x", 0)];
  const data = [
    { title: "Empty", paragraphs: [{ context: " ", qas }] },
    { title: 7, paragraphs: [{ context: "x", qas }] },
    { title: "No paragraphs" },
    { paragraphs: [{ context: "x" }, { context: 1, qas }, { context: "x\0", qas }] },
  ];
  const { problems, data: kept } = checkSplit("train", data);
  expect(problems.map(({ kind, rows, where }) => [kind, rows, where])).toEqual([
    ["EmptyText", 2, 'article "Empty", paragraph 1 (data[0].paragraphs[0])'],
    ["Shape", 2, "article number 2 (data[1])"],
    ["Shape", 1, 'article "No paragraphs" (data[2])'],
    ["Shape", 1, "article number 4, paragraph 1 (data[3].paragraphs[0])"],
    ["Shape", 2, "article number 4, paragraph 2 (data[3].paragraphs[1])"],
    ["BadCharacter", 2, "article number 4, paragraph 3 (data[3].paragraphs[2])"],
  ]);
  expect(kept).toEqual([]);
});

test("position 0 is a place like any other, and a question may be asked twice", () => {
  expect(problemsOf(squad(context, [asked("a", "The Rhine", 0), asked("b", "The Rhine", 0)]))).toEqual([]);
});

test("an id in both splits is train's problem, so that dev stays whole", () => {
  const dev = squad(context, [asked("t-1", "the Alps", 19)]);
  const checked = checkDataset(trainFile, dev);
  expect(checked.problems.map(({ split, kind }) => [split, kind])).toEqual([["train", "IdInBothSplits"]]);
  expect(checked.counts.dev.questions).toBe(1);
});

test("the counts tell unanswerable questions and each reason for a row left out", () => {
  // Two bad rows, one of them with two problems: it counts under its first.
  const bad = [asked("m", "the Alps", 1), { ...asked("m", "nowhere", 0), question: "" }];
  const train = squad(context, [asked("g", "the Alps", 19), ...bad]);
  expect(countsFor(checkDataset(train, devFile))).toEqual({
    ...{ trainArticles: 1, trainParagraphs: 1, trainQuestions: 1, trainUnanswerable: 0 },
    ...{ trainSkipped: 2, trainSkippedAnswerMismatch: 1, trainSkippedEmptyText: 1 },
    ...{ devArticles: 1, devParagraphs: 1, devQuestions: 2, devUnanswerable: 1, devSkipped: 0 },
  });
});

test("a file of SQuAD 1.1 becomes one of 2.0, further keys go, plausible answers stay", () => {
  const plausible_answers = [{ text: "Alps", answer_start: 23 }];
  const file = squad(context, [
    { ...asked("a", "the Alps", 19), comment: "from 1.1" },
    { id: "b", question: "Why?", answers: [], is_impossible: true, plausible_answers },
  ]);
  const { data } = checkSplit("train", file.data);
  expect(JSON.parse(serializeSplit(data))).toEqual(
    squad(context, [
      { ...asked("a", "the Alps", 19), is_impossible: false },
      { id: "b", question: "Why?", answers: [], is_impossible: true, plausible_answers },
    ]),
  );
});

test("firstQuestions cuts in the file's order, across paragraphs, and looks at nothing behind the cut", () => {
  const data = [
    { title: "A", paragraphs: [{ context, qas: [asked("1", "the Alps", 19), asked("2", "the Alps", 19)] }] },
    { title: "B", paragraphs: [{ context, qas: [asked("3", "the Alps", 19), asked("4", "wrong", 0)] }] },
    { title: "C", paragraphs: "broken" },
  ];
  const { data: kept, problems } = checkSplit("train", data, { firstQuestions: 3 });
  expect(kept.map((article) => article.paragraphs.flatMap((p) => p.qas.map((qa) => qa.id)))).toEqual([
    ["1", "2"],
    ["3"],
  ]);
  expect(problems).toEqual([]);
});

test("a split without unanswerable questions beside one with them is worth a note, and so is a shared paragraph", () => {
  const answerable = squad(context, [asked("x", "the Alps", 19)]);
  expect(hintsFor(checkDataset(answerable, devFile))[0]).toContain("dev has 1 unanswerable question, train none");
  expect(hintsFor(checkDataset(trainFile, answerable))).toEqual([
    expect.stringContaining("train has 1 unanswerable question, dev none"),
    expect.stringContaining("train and dev share 1 paragraph"),
  ]);
  expect(hintsFor(checkDataset(trainFile, devFile))).toEqual([]);
});
