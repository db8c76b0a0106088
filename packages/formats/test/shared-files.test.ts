import { readRows, type Problem, type ReadingPurpose } from "@bertqa/squad";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openQuestionFile } from "../src/index.ts";

/** Small files of our own text with the nature of real ones; `fixtures/files/README.md` says what each is. */
const files = join(import.meta.dirname, "fixtures/files");

async function read(folder: string, purpose: ReadingPurpose, name = `${purpose}.json`) {
  const { format, rows } = await openQuestionFile("import", join(files, folder, name));
  const { articles, problems, notes } = readRows(purpose, rows);
  const questions = articles.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas));
  return { format, rows, problems, notes, questions };
}

const kindsOf = (problems: readonly Problem[]) => problems.map(({ kind }) => kind);
const bergen = [{ text: "Bergen", answer_start: 65 }];
const textsOf = (questions: readonly { answers?: readonly { text: string }[] | undefined }[]) =>
  questions.map(({ answers }) => answers?.map(({ text }) => text));

test("01: numeric ids are read as their digits", async () => {
  expect((await read("01-numeric-ids", "train")).questions.map(({ id }) => id)).toEqual(["262", "276"]);
  expect((await read("01-numeric-ids", "dev")).questions.map(({ id }) => id)).toEqual(["9101", "9103"]);
});

test("02: padded answers stand where they say; 02c: a trimmed offset names the trimmed text", async () => {
  const padded = await read("02-padded-answers", "train");
  expect(padded.problems).toEqual([]);
  expect(textsOf(padded.questions)).toEqual([["had died.\n"], [" the warden"], [" Salt water "]]);
  const trimmed = await read("02c-padded-text-trimmed-offset", "train");
  expect(trimmed.problems).toEqual([]);
  expect(textsOf(trimmed.questions)).toEqual([["the warden"], ["Salt water"]]);
});

test("03: an empty gold costs nothing but itself, and is counted", async () => {
  const { questions, problems } = await read("03-one-gold-of-three-unusable", "dev");
  expect(textsOf(questions)).toEqual([["1921", "in 1921"], ["Estremoz"]]);
  expect(kindsOf(problems)).toEqual(["EmptyAnswer"]);
});

test("04: wrong offsets cost no dev question, and a no-break space is named", async () => {
  const { questions, problems } = await read("04-dev-offsets-wrong", "dev");
  expect(textsOf(questions)).toEqual([["1921"], ["ninety metres"], ["marble"], ["Estremoz"]]);
  expect(kindsOf(problems)).toEqual(["MovedAnswer", "RespelledAnswer", "RespelledAnswer"]);
  expect(problems[1]?.what).toContain("U+00A0 no-break space in the passage, U+0020 space in the answer");
});

test("06, 07: an empty list without a flag and an empty text mean unanswerable", async () => {
  for (const folder of ["06-no-flag-no-answers", "07-no-answer-as-empty-text"]) {
    for (const purpose of ["train", "dev"] as const) {
      const { questions, problems } = await read(folder, purpose);
      expect(questions.map((question) => question.is_impossible)).toEqual([false, true]);
      expect(problems).toEqual([]);
    }
  }
});

test("08: flags, offsets and titles of other types", async () => {
  const { questions, problems } = await read("08-flag-types", "train");
  expect(problems).toEqual([]);
  expect(questions).toHaveLength(7);
  expect(questions.every(({ answers, is_impossible }) => answers?.[0]?.answer_start === 65 && !is_impossible)).toBe(
    true,
  );
});

describe("09: other layouts are read by content", () => {
  test.each([
    ["09a-flat-list", "a list of passages", 2],
    ["09b-run_qa-rows", "rows", 1],
    ["09c-jsonl", "rows, JSON Lines", 2],
    ["09d-squad-articles-jsonl", "SQuAD, JSON Lines", 4],
    ["09e-csv", "CSV", 1],
    ["09h-klue-guid", "SQuAD", 2],
    ["09i-qas-object", "SQuAD", 1],
    ["09k-label-studio", "Label Studio", 1],
  ])("%s", async (folder, format, count) => {
    const { questions, ...rest } = await read(folder, "train");
    expect(rest.format).toBe(format);
    expect(questions).toHaveLength(count);
    expect(questions[0]?.answers).toEqual(bergen);
  });

  test("09g is named", async () => {
    await expect(read("09g-korquad2", "train")).rejects.toThrow(
      "train.json: this looks like KorQuAD 2.0: its passages are whole HTML pages",
    );
  });
});

test("10: ids that restart in each file are no problem", async () => {
  expect((await read("10-ids-restart-per-file", "train")).problems).toEqual([]);
  expect((await read("10-ids-restart-per-file", "dev")).problems).toEqual([]);
});

test("15: questions without answers are kept, unlabelled", async () => {
  const { questions, problems } = await read("15-unlabelled-questions", "dev");
  expect(problems).toEqual([]);
  expect(questions.map(({ answers }) => answers)).toEqual([undefined, undefined]);
});

test("22, 25: what was right stays right", async () => {
  const { questions, problems } = await read("22-dev-all-unanswerable", "dev");
  expect(problems).toEqual([]);
  expect(questions.every(({ is_impossible }) => is_impossible)).toBe(true);
  expect((await read("25-html-and-special-tokens", "dev")).problems).toEqual([]);
  expect((await read("25-html-and-special-tokens", "train")).problems).toEqual([]);
});

test("24: a title that is null, a flag that is null and a gold at -1", async () => {
  for (const name of ["title-null.json", "flag-null.json", "minus-one.json"]) {
    const { questions } = await read("24-compare-stricter-than-evaluate", "dev", name);
    expect(questions.map(({ id }) => id)).toEqual(["d1", "d2", "d3"]);
  }
});
