import { expect, test } from "vitest";
import { planBatches } from "../src/batches.ts";
import { passagesOf } from "../src/cli/documents.ts";
import { parseQuestions } from "../src/cli/questions.ts";
import { sentenceAround } from "../src/cli/sentence.ts";

test("batches hold windows of similar length, longest first, within the budget; a long window goes alone", () => {
  // Longest first: 50, 9, 9, 8, 2. Budget 20: 50 alone; 9 + 9 = 18; 8 + 8 (the 2 padded to 8) = 16.
  expect(planBatches([9, 2, 50, 8, 9], 20)).toEqual([
    { rows: [2], tokenCount: 50 },
    { rows: [0, 4], tokenCount: 9 },
    { rows: [3, 1], tokenCount: 8 },
  ]);
  expect(planBatches([], 20)).toEqual([]);
});

test("the sentence of an answer ends at sentence ends and blank lines, and is cut where it is long", () => {
  const text = "First one. Ada wrote\nit in 1843, e.g. here. Last.\n\nNext";
  const at = text.indexOf("1843");
  expect(sentenceAround(text, { utf16: [at, at + 4], codePoints: [at, at + 4] })).toEqual({
    before: "Ada wrote it in ",
    marked: "1843",
    after: ", e.g. here.",
  });
  const long = `${"x ".repeat(400)}here${" y".repeat(400)}`;
  const { before, after } = sentenceAround(long, { utf16: [800, 804], codePoints: [800, 804] });
  expect([before.length, before[0], after.length, after.at(-1)]).toEqual([161, "…", 161, "…"]);
});

test("passages are whole paragraphs up to 2,000 characters, each with the line it starts on", () => {
  const paragraph = "w".repeat(900);
  // 900 + 2 + 900 fit into 2,000, a third does not; lines 1, 3, 5, then 8 after two blank lines.
  const passages = passagesOf(`${paragraph}\n\n${paragraph}\n\n${paragraph}\n\n\nlast`);
  expect(passages.map(({ firstLine, text }) => [firstLine, text.trim().length])).toEqual([
    [1, 1802],
    [5, 907],
  ]);
  expect(passagesOf("\n\none")).toEqual([{ firstLine: 3, text: "one" }]);
});

test("a line of questions that is neither text nor a question object is named", () => {
  expect(parseQuestions('Who?\r\n\n{"id":1,"question":"Where?"}', "q")).toEqual([
    { question: "Who?" },
    { id: 1, question: "Where?" },
  ]);
  expect(() => parseQuestions('a\n{"quest":1}', "q.jsonl")).toThrow(
    'ask: the line is no JSON object with a question. Write {"question": "…"}, or plain text. (q.jsonl:2)',
  );
});
