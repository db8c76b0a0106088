import { questionsOf } from "@bertqa/squad";
import { expect, test } from "vitest";
import { analyse } from "../src/analysis/analyse.ts";
import { historyLine, parseHistory, type HistoryEntry } from "../src/history.ts";
import { evaluateOptionsSchema } from "../src/options.ts";
import { escapeMarkdown, scoreLines, signed, summaryMarkdown } from "../src/summary.ts";
import { madeUpAnswers, sampleFile } from "./support/pipeline.ts";

const questions = questionsOf(sampleFile("dev"));
const dev = { questions, ...madeUpAnswers(questions, 1), where: "predict" };
const { evaluation } = analyse(dev, null, evaluateOptionsSchema.parse({ bootstrapSamples: 50 }));
const entry: HistoryEntry = {
  formatVersion: 1,
  date: "2026-11-25T10:20:30.000Z",
  evaluation: "0".repeat(64),
  commit: "abc1234-dirty",
  options: {},
  inputs: {},
  primary: "zero",
  scores: [{ kind: "zero", nullOddsThreshold: 0, exact: 50, f1: 99, total: 4 }],
  elapsedMs: 12,
};

test("history keeps what it can read: broken lines and other formats are counted, and a cut line does not swallow the next", () => {
  const other = JSON.stringify({ ...entry, formatVersion: 7 });
  const text = `${historyLine(entry, "")}{"date":"2026\n\nnull\n${other}\n`;
  expect(parseHistory(text)).toEqual({ entries: [entry], skippedLines: 3 });
  const cut = `${historyLine(entry, "")}{"da`;
  expect(parseHistory(cut + historyLine(entry, cut))).toEqual({ entries: [entry, entry], skippedLines: 1 });
  expect(parseHistory("")).toEqual({ entries: [], skippedLines: 0 });
});

test("the summary has a row a threshold, the primary one in bold, and shows a hostile name to the letter", () => {
  const text = summaryMarkdown("[x](javascript:alert(1))<b>", evaluation);
  expect(text).toContain("## Question answering: \\[x\\]\\(javascript:alert\\(1\\)\\)\\<b\\>\n");
  expect(text).toMatch(/^\| \*\*0\*\* \| \*\*0\.000\*\* \| \*\*\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)\*\* /m);
  expect(text).toContain("| best F1 on dev (optimistic) |");
  expect(text).toContain("(report.html)");
});

test("what Markdown would read as markup is escaped, line breaks too", () => {
  expect(escapeMarkdown("a_b | *c*\n# d")).toBe("a\\_b \\| \\*c\\* \\# d");
});

test("a difference has the sign of what is shown of it: a sum's last digit makes no −0.00", () => {
  expect([0.4, -1.25, 0, -2e-15, -0.004].map(signed)).toEqual(["+0.40", "−1.25", "+0.00", "+0.00", "+0.00"]);
});

test("the terminal table has thresholds side by side, halves apart, and the score of never answering", () => {
  const lines = scoreLines(evaluation);
  expect(lines[0]).toBe("365 questions (119 without answer) · 95 % intervals from 50 resamples of 16 articles");
  expect(lines[1]).toMatch(/^threshold +null odds +exact +F1 +HasAns exact +F1 +NoAns$/);
  expect(lines[2]).toMatch(/^0 \* +0\.00 +\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\) /);
  // 119 of 365 have no answer: 32.60 for saying nothing.
  expect(lines.find((line) => line.startsWith("never answering"))).toMatch(/ 32\.60 +32\.60 +0\.00 +0\.00 +100\.00$/);
});

test("of one article there are no intervals, and none are announced", () => {
  const one = questions.filter(({ articleIndex }) => articleIndex === 0);
  const options = evaluateOptionsSchema.parse({ bootstrapSamples: 50 });
  const single = analyse({ questions: one, ...madeUpAnswers(one, 1), where: "predict" }, null, options).evaluation;
  expect(scoreLines(single)[0]).toMatch(/ · no intervals from 1 article$/);
  expect(summaryMarkdown("x", single)).not.toContain("95 %");
});
