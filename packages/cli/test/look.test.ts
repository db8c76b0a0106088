import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { lookAtData } from "../src/look.ts";

const encoder = fileURLToPath(new URL("../../tokenize/test/fixtures/encoder/tokenizer.json", import.meta.url));

test.each([
  [2000, 2000],
  [2001, 1001],
  [3999, 2000],
])("of %i questions, %i are looked at: 2,000 at the most", async (total, drawn) => {
  const answers = [{ text: "a b c d e f g h", answer_start: 0 }];
  const qas = Array.from({ length: total }, (_, i) => ({ id: String(i), question: "Who?", answers }));
  const articles = [{ title: "letters", paragraphs: [{ context: "a b c d e f g h", qas }] }];
  // Half a window of 8 tokens holds none of the answers, which are counted therefore.
  const { lines } = await lookAtData(articles, await readFile(encoder, "utf8"), 8);
  expect(lines.join("\n")).toContain(` of ${drawn} are longer than maxAnswerTokens 4`);
});
