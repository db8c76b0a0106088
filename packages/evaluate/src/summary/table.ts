import { countOf } from "@bertqa/core";
import type { Estimate, Evaluation, Halves, IntervalScore, PlainScore } from "../results.ts";

/** The scores for people, on a terminal: a row a threshold, halves apart, intervals in brackets. */
export function scoreLines(evaluation: Evaluation): string[] {
  const rows = evaluation.scores.map((row) => [
    row.label + (row.kind === evaluation.primary ? " *" : ""),
    row.nullOddsThreshold.toFixed(2),
    withInterval(row.all.exact),
    withInterval(row.all.f1),
    ...halfCells(row, ({ exact, f1 }: IntervalScore) => [exact.value, f1.value]),
  ]);
  const { neverAnswering } = evaluation;
  const never = [
    "never answering",
    "",
    neverAnswering.all.exact.toFixed(2),
    neverAnswering.all.f1.toFixed(2),
    ...halfCells(neverAnswering, ({ exact, f1 }: PlainScore) => [exact, f1]),
  ];
  const header = ["threshold", "null odds", "exact", "F1", "HasAns exact", "F1", "NoAns"];
  return [headLine(evaluation), ...aligned([header, ...rows, never]), ...footLines(evaluation)];
}

function headLine({ counts, bootstrap }: Evaluation): string {
  const questions = `${countOf(counts.questions, "question")} (${counts.unanswerable.toLocaleString("en-US")} without answer)`;
  const resamples = `95 % intervals from ${bootstrap.samples.toLocaleString("en-US")} resamples of ${countOf(bootstrap.articles, "article")}`;
  return `${questions} · ${resamples}`;
}

function footLines({ counts, noAnswer, primary, remarks }: Evaluation): string[] {
  const held = `tuned and calibrated on ${countOf(counts.tuneQuestions, "held-out question")}`;
  const error = `expected calibration error ${(100 * noAnswer.expectedCalibrationError).toFixed(1)} %`;
  return [`* breakdowns and error browser · ${primary === "tuned" ? `${held} · ` : ""}${error}`, ...remarks];
}

function halfCells<Score>({ hasAns, noAns }: Halves<Score>, valuesOf: (score: Score) => [number, number]): string[] {
  const cells = (half: Score | null) => (half === null ? ["–", "–"] : valuesOf(half).map((value) => value.toFixed(2)));
  // Without an answer to give, exact and F1 are the same.
  return [...cells(hasAns), cells(noAns)[0] as string];
}

/** `61.25 (57.90–64.62)`. */
function withInterval({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** First column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] as readonly string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join("  "),
  );
}
