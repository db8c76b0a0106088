import { readRows, type SquadFile } from "@bertqa/squad";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openQuestionFile } from "../src/index.ts";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "bertqa-formats-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Passages in which code points, UTF-16 units and bytes differ, with line breaks, quotes and every delimiter. */
const passages = [
  '🛥 Solveig, "the ferry";\tbuilt in Bergen | 1974.\nIt carries 40 cars.',
  "Die Fähre 𝄞 fährt 40-mal. Café.",
];
const answers = [
  ["Bergen", "1974", "40 cars"],
  ["fährt", "40-mal", "Café"],
];
const codePoints = (text: string) => [...text].length;
const startOf = (passage: string, answer: string) => codePoints(passage.slice(0, passage.indexOf(answer)));

const articles: SquadFile["data"] = passages.map((context, i) => ({
  title: `Passage ${i}`,
  paragraphs: [
    {
      context,
      qas: [
        ...(answers[i] as string[]).map((text, k) => ({
          id: `${i}-${k}`,
          question: `What, and "where"?\n${k}`,
          answers: [{ text, answer_start: startOf(context, text) }],
          is_impossible: false,
        })),
        { id: `${i}-none`, question: "Why?", answers: [], is_impossible: true },
      ],
    },
  ],
}));

const rows = articles.flatMap(({ title, paragraphs }) =>
  paragraphs.flatMap(({ context, qas }) => qas.map((qa) => ({ ...qa, title, context, answers: qa.answers ?? [] }))),
);
type Row = (typeof rows)[number];
const asLists = ({ answers: given, ...row }: Row) => ({
  ...row,
  answers: { text: given.map(({ text }) => text), answer_start: given.map((answer) => answer.answer_start) },
});
const table = (delimiter: string, toCells: (row: Row) => unknown[], header: string[]) =>
  [header, ...rows.map(toCells)]
    .map((cells) => cells.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(delimiter))
    .join("\r\n");
const columns = ["id", "title", "context", "question", "answer", "answer_start"];
const cells = ({ id, title, context, question, answers: [gold] }: Row) => [
  ...[id, title, context, question, gold?.text ?? "", gold?.answer_start ?? ""],
];
const python = (row: Row) => [row.id, row.title, row.context, row.question, JSON.stringify(asLists(row).answers)];
const task = ({ id, title, context, question, answers: given }: Row) => ({
  id,
  data: { title, text: context, question },
  annotations: [
    {
      result: given.map(({ text }) => ({
        type: "labels",
        value: { text, start: context.indexOf(text), labels: ["A"] },
      })),
    },
  ],
});
const inBytes = ({ answers: given, ...row }: Row) => ({
  ...row,
  answers: given.map(({ text }) => ({
    text,
    answer_start: Buffer.byteLength(row.context.slice(0, row.context.indexOf(text))),
  })),
});

describe.each<[string, string | Uint8Array]>([
  ["SQuAD", JSON.stringify({ version: "v2.0", data: articles })],
  ["SQuAD, an article a line", articles.map((article) => JSON.stringify(article)).join("\n")],
  ["rows under data", JSON.stringify({ data: rows.map(asLists) })],
  ["rows as JSON Lines", rows.map((row) => JSON.stringify(asLists(row))).join("\n")],
  [
    "a list of passages",
    JSON.stringify(articles.map(({ title, paragraphs: [paragraph] }) => ({ title, ...paragraph }))),
  ],
  ["CSV", table(",", cells, columns)],
  ["TSV", table("\t", cells, columns)],
  ["CSV with lists in cells", table(";", python, ["id", "title", "context", "question", "answers"])],
  ["Label Studio, in UTF-16 units", JSON.stringify(rows.map(task))],
  ["offsets in bytes", JSON.stringify(rows.map(inBytes))],
  ["gzip", gzipSync(JSON.stringify({ data: articles }))],
])("%s", (name, content) => {
  test("gives back each question, answer and offset", async () => {
    const path = join(folder, name.replaceAll(/\W/g, "-"));
    await writeFile(path, content);
    const read = readRows("train", (await openQuestionFile("test", path)).rows);
    expect(read.problems).toEqual([]);
    expect(read.articles).toEqual(articles);
  });
});
