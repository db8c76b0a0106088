import type { Question } from "@bertqa/core";
import { expect, test } from "vitest";
import { splitOffTune } from "../src/tune-split.ts";

/** Articles of the given numbers of questions; the first `unanswerable` of each have no answer. */
function articles(...sizes: readonly { questions: number; unanswerable?: number; title?: string }[]): Question[] {
  return sizes.flatMap(({ questions, unanswerable = 0, title }, articleIndex) =>
    Array.from({ length: questions }, (_, i) => ({
      id: `${articleIndex}-${i}`,
      question: "?",
      context: "a",
      answers: i < unanswerable ? [] : [{ text: "a", startCodePoint: 0 }],
      article: title ?? `article-${articleIndex}`,
      articleIndex,
      paragraphIndex: 0,
    })),
  );
}

const twenty = articles(...Array.from({ length: 20 }, (_, i) => ({ questions: 10 + i, unanswerable: i % 2 ? 5 : 0 })));

test("no article is in both parts, each question is in one, and the order stays", () => {
  const { train, tune, trainUnits, tuneUnits } = splitOffTune(twenty, { share: 0.2, seed: 7 });
  const trainTitles = new Set(train.map(({ article }) => article));
  expect(tune.filter(({ article }) => trainTitles.has(article))).toEqual([]);
  expect(trainTitles.size).toBe(trainUnits);
  expect(new Set(tune.map(({ article }) => article)).size).toBe(tuneUnits);
  const place = new Map(twenty.map(({ id }, index) => [id, index]));
  for (const part of [train, tune]) {
    const places = part.map(({ id }) => place.get(id) as number);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  }
  expect(train.length + tune.length).toBe(twenty.length);
});

test("the held-out part is near its share, of questions and of unanswerable ones", () => {
  // 390 questions, 50 unanswerable: a fifth is 78 and 10.
  for (const seed of [1, 2, 3, 42]) {
    const { tune } = splitOffTune(twenty, { share: 0.2, seed });
    expect(Math.abs(tune.length - 78)).toBeLessThanOrEqual(4);
    expect(tune.filter(({ answers }) => answers.length === 0)).toHaveLength(10);
  }
});

test("equal seeds choose equal articles, another seed others", () => {
  const idsOf = (seed: number) => splitOffTune(twenty, { share: 0.2, seed }).tune.map(({ id }) => id);
  expect(idsOf(3)).toEqual(idsOf(3));
  expect(idsOf(3)).not.toEqual(idsOf(4));
});

test("articles much larger than the share: the smallest is held out", () => {
  const { tune, train } = splitOffTune(articles({ questions: 50 }, { questions: 40 }), { share: 0.01, seed: 1 });
  expect([train.length, tune.length]).toEqual([50, 40]);
});

test("two documents give a tenth by passages, which no part shares, and a title more than once is one document", () => {
  // Halves of 40 and 60 questions in passages of 5: articles alone could hold out 40 of 100, asked for 10.
  const questions = articles({ questions: 40, title: "A" }, { questions: 60, title: "B" }).map((question, i) => ({
    ...question,
    context: `passage ${Math.floor(i / 5)}`,
  }));
  const { unit, tune, train } = splitOffTune(questions, { share: 0.1, seed: 4 });
  expect([unit, tune.length, train.length]).toEqual(["passage", 10, 90]);
  const seen = new Set(train.map(({ context }) => context));
  expect(tune.filter(({ context }) => seen.has(context))).toEqual([]);
  // One article of one passage cannot be divided.
  expect(splitOffTune(articles({ questions: 9 }), { share: 0.1, seed: 4 }).tune).toEqual([]);
});

test("at least one article stays in train", () => {
  const { trainUnits } = splitOffTune(articles({ questions: 1 }, { questions: 1 }), { share: 0.5, seed: 1 });
  expect(trainUnits).toBe(1);
});

test("one article cannot be split, nor is anything held out for a share of 0", () => {
  expect(splitOffTune(articles({ questions: 9 }), { share: 0.1, seed: 1 }).tune).toEqual([]);
  expect(splitOffTune(twenty, { share: 0, seed: 1 }).tune).toEqual([]);
});

test("entries of one title are one article; entries without a title are articles of their own", () => {
  const oneTitle = articles({ questions: 3, title: "Rome" }, { questions: 3, title: "Rome" });
  expect(splitOffTune(oneTitle, { share: 0.5, seed: 1 }).tune).toEqual([]);
  const untitled = articles({ questions: 3, title: "" }, { questions: 3, title: "" });
  expect(splitOffTune(untitled, { share: 0.5, seed: 1 }).tuneUnits).toBe(1);
});
