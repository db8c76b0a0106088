import type { RawRow } from "@bertqa/squad";
import { expect, test } from "vitest";
import { drawRows } from "../src/draw.ts";

/** 4 articles of 5 passages of 3 questions each. */
const rows: RawRow[] = Array.from({ length: 60 }, (_, i) => ({
  place: `row ${i}`,
  article: Math.floor(i / 15),
  paragraph: Math.floor(i / 3),
}));
const placesOf = (questions: number, seed = 42) => drawRows(rows, { questions, seed }).map(({ place }) => place);

test("whole passages are drawn over all articles, the last one cut to the number asked for, in the file's order", () => {
  const drawn = drawRows(rows, { questions: 31, seed: 42 });
  expect(drawn).toHaveLength(31);
  const passages = [...new Set(drawn.map(({ paragraph }) => paragraph))];
  const sizes = passages.map((passage) => drawn.filter(({ paragraph }) => paragraph === passage).length);
  // 31 = 10 passages of 3, and 1 question of an eleventh.
  expect(sizes.toSorted((a, b) => a - b)).toEqual([1, ...Array.from({ length: 10 }, () => 3)]);
  expect(new Set(drawn.map(({ article }) => article)).size).toBe(4);
  const order = drawn.map(({ place }) => Number(place.slice("row ".length)));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

test("a smaller draw is part of a larger one of the same seed; another seed draws others", () => {
  const larger = new Set(placesOf(40));
  for (const place of placesOf(17)) expect(larger).toContain(place);
  expect(placesOf(17, 7)).not.toEqual(placesOf(17));
  expect(placesOf(17)).toEqual(placesOf(17));
});

test("where fewer are there than asked for, all are kept as they are", () => {
  expect(drawRows(rows, { questions: 1000, seed: 1 })).toEqual(rows);
  expect(drawRows([], { questions: 3, seed: 1 })).toEqual([]);
});

test("without titles a passage is drawn whole though its rows do not follow each other", () => {
  // 10 passages that take turns, 3 questions each; as a table's reader numbers them, each row is an article.
  const mixed = rows.slice(0, 30).map((row, i) => ({ ...row, article: i, paragraph: i, context: `passage ${i % 10}` }));
  const drawn = drawRows(mixed, { questions: 6, seed: 42 });
  expect([drawn.length, new Set(drawn.map(({ context }) => context)).size]).toEqual([6, 2]);
});
