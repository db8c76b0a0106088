import { countOf } from "@bertqa/core";
import type {
  Estimate,
  Evaluation,
  Halves,
  IntervalScore,
  PlainScore,
  SanityScores,
  ThresholdScores,
} from "@bertqa/report";

/** The scores for people, on a terminal: a row a threshold, halves apart, intervals in brackets. */
export function scoreLines(evaluation: Evaluation): string[] {
  const { counts, neverAnswering, bootstrap, remarks } = evaluation;
  const questions = `${countOf(counts.questions, "question")} (${whole(counts.unanswerable)} without answer)`;
  const { samples, articles } = bootstrap;
  const resamples =
    articles > 1
      ? `95 % intervals from ${whole(samples)} resamples of ${countOf(articles, "article")}`
      : "no intervals from 1 article";
  const rows = evaluation.scores.map((row) => [
    row.label + (row.kind === evaluation.primary ? " *" : ""),
    row.nullOddsThreshold?.toFixed(2) ?? "–",
    estimateText(row.all.exact),
    estimateText(row.all.f1),
    ...halfCells(row, ({ exact, f1 }: IntervalScore) => [exact.value, f1.value]),
  ]);
  const { exact, f1 } = neverAnswering.all;
  const halves = halfCells(neverAnswering, (half: PlainScore) => [half.exact, half.f1]);
  const never = ["never answering", "", exact.toFixed(2), f1.toFixed(2), ...halves];
  const header = ["threshold", "null odds", "exact", "F1", "HasAns exact", "F1", "NoAns"];
  const held = `tuned and calibrated on ${countOf(counts.tuneQuestions, "held-out question")}`;
  const error = `expected calibration error ${(100 * evaluation.noAnswer.expectedCalibrationError).toFixed(1)} %`;
  const notes = [
    "* breakdowns and error browser",
    ...(evaluation.primary === "tuned" ? [held] : []),
    ...(evaluation.primary === "always" ? [] : [error]),
  ];
  return [
    `${questions} · ${resamples}`,
    ...aligned([header, ...rows, never]),
    notes.join(" · "),
    ...(evaluation.sanity ? aligned(sanityRows(evaluation.sanity)) : []),
    ...remarks,
  ];
}

/** `summary.md`: the scores, fit for a pull request. */
export function summaryMarkdown(pipeline: string, evaluation: Evaluation): string {
  const { counts, bootstrap, remarks } = evaluation;
  const unanswerable = `${whole(counts.unanswerable)} of them without an answer`;
  const intervals =
    bootstrap.articles > 1 ? ` 95 % intervals by bootstrap over articles (${whole(bootstrap.samples)} resamples).` : "";
  const blocks = [
    `## Question answering: ${escapeMarkdown(pipeline)}`,
    `${countOf(counts.questions, "question")}, ${unanswerable}, in ${countOf(counts.articles, "article")}.${intervals}`,
    scoreTable(evaluation),
    ...(evaluation.sanity ? [sanityTable(evaluation.sanity)] : []),
    remarks.map((remark) => `> ${remark}`).join("\n>\n"),
    "[Report with curves and error browser](report.html) · [all results](report.json) · [official scores](scores.json)",
  ];
  return `${blocks.join("\n\n")}\n`;
}

/** Text as Markdown shows it to the letter: what would be markup gets a backslash, and line breaks become spaces. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()<>#+!|~&]/g, "\\$&").replace(/\s+/g, " ");
}

/** A difference in points with its sign: `+0.40`, `−1.25`. */
export function signed(value: number): string {
  const shown = Number(value.toFixed(2));
  return `${shown < 0 ? "−" : "+"}${Math.abs(shown).toFixed(2)}`;
}

function scoreTable({ scores, primary, neverAnswering }: Evaluation): string {
  const rows = scores.map((row: ThresholdScores) => {
    const { all, hasAns, noAns } = row;
    const halves = [halfText(hasAns?.f1.value), halfText(noAns?.f1.value)];
    const cells = [
      row.label,
      row.nullOddsThreshold?.toFixed(3) ?? "–",
      estimateText(all.exact),
      estimateText(all.f1),
      ...halves,
    ];
    return cells.map((cell) => (row.kind === primary ? `**${cell}**` : cell));
  });
  const { all, hasAns, noAns } = neverAnswering;
  const never = [all.exact.toFixed(2), all.f1.toFixed(2), halfText(hasAns?.f1), halfText(noAns?.f1)];
  const head = ["threshold", "on null odds", "exact", "F1", "HasAns F1", "NoAns F1"];
  return markdownTable([head, ...rows, ["never answering", "", ...never]]);
}

/** The sanity set at the primary threshold: as a whole, in halves, and a row a kind of difficulty. */
function sanityRows({ all, hasAns, noAns, kinds }: SanityScores): string[][] {
  const row = (label: string, score: PlainScore | null) =>
    score ? [[label, whole(score.total), score.exact.toFixed(2), score.f1.toFixed(2)]] : [];
  return [
    ["sanity set", "questions", "exact", "F1"],
    ...[...row("all", all), ...row("with answer", hasAns), ...row("without answer", noAns)],
    ...kinds.flatMap((kind) => row(kind.label, kind)),
  ];
}

function sanityTable(scores: SanityScores): string {
  return markdownTable(sanityRows(scores).map(([label = "", ...cells]) => [escapeMarkdown(label), ...cells]));
}

/** A Markdown table whose first column is text and whose others are numbers; the first row is its head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function halfCells<Score>({ hasAns, noAns }: Halves<Score>, valuesOf: (score: Score) => [number, number]): string[] {
  const cells = (half: Score | null) => (half === null ? ["–", "–"] : valuesOf(half).map((value) => value.toFixed(2)));
  // Without an answer to give, exact and F1 are the same.
  return [...cells(hasAns), cells(noAns)[0] as string];
}

/** `61.25 (57.90–64.62)`. */
function estimateText({ value, interval }: Estimate): string {
  return value.toFixed(2) + (interval ? ` (${interval[0].toFixed(2)}–${interval[1].toFixed(2)})` : "");
}

function halfText(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(2);
}

function whole(count: number): string {
  return count.toLocaleString("en-US");
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
