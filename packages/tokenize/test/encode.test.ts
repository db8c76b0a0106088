import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { encodeParagraphs, type Paragraph } from "../src/encode.ts";
import { fixtureEncoder } from "./helpers.ts";
import { loadTokenizer, type BertTokenizer } from "../src/tokenizer.ts";

test("an encoding that fails ahead of its reader is an error of the reader, not of the process", async () => {
  const real = await loadTokenizer(readFileSync(join(fixtureEncoder, "tokenizer.json"), "utf8"), "tokenizer.json");
  // Batches of 256 paragraphs: the second one fails at once, while the reader is still busy with the first.
  const tokenizer: BertTokenizer = {
    ...real,
    encode: (texts) => (texts[0] === "second" ? Promise.reject(new Error("out of memory")) : real.encode(texts)),
  };
  const paragraphs = Array.from({ length: 300 }, (_, i): Paragraph => {
    return { context: i < 256 ? "first" : "second", questions: [], firstQuestion: i };
  });
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  let read = 0;
  try {
    await expect(async () => {
      for await (const paragraph of encodeParagraphs(tokenizer, paragraphs)) {
        if (paragraph.firstQuestion === 0) await setImmediate();
        read++;
      }
    }).rejects.toThrow("out of memory");
  } finally {
    process.off("unhandledRejection", note);
  }
  expect(read).toBe(256);
  expect(unhandled).toEqual([]);
});
