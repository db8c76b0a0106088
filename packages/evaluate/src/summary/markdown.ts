import type { PairedDifference } from "../analysis/paired.ts";
import type { Estimate, Evaluation, HistoryEntry, ThresholdScores } from "../results.ts";

/** The last run, and how far this one is from it. */
export interface LastRun {
  readonly entry: HistoryEntry;
  /** Paired differences in percentage points; null where the last run's answers are gone or of other questions. */
  readonly paired: { readonly exact: PairedDifference; readonly f1: PairedDifference } | null;
}

/** `summary.md`: fit for a pull request. @param lastRun null where this is the first run */
export function summaryMarkdown(pipeline: string, evaluation: Evaluation, lastRun: LastRun | null): string {
  const { counts } = evaluation;
  const number = (count: number) => count.toLocaleString("en-US");
  const questions = `${number(counts.questions)} questions, ${number(counts.unanswerable)} of them without an answer, in ${number(counts.articles)} articles.`;
  const blocks = [
    `## Question answering: ${pipeline}`,
    `${questions} 95 % intervals by bootstrap over articles (${number(evaluation.bootstrap.samples)} resamples).`,
    scoreTable(evaluation),
    lastRun ? differenceText(evaluation, lastRun) : "First run: there is none to compare with.",
    evaluation.remarks.map((remark) => `> ${remark}`).join("\n>\n"),
    "[Report with curves and error browser](report.html) · [all results](report.json) · [official scores](scores.json)",
  ];
  return `${blocks.join("\n\n")}\n`;
}

function scoreTable({ scores, primary, neverAnswering }: Evaluation): string {
  const lines = [
    "| threshold | on null odds | exact | F1 | HasAns F1 | NoAns F1 |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
  ];
  for (const row of scores) {
    const bold = (text: string) => (row.kind === primary ? `**${text}**` : text);
    const cells = [
      interval(row.all.exact),
      interval(row.all.f1),
      half(row.hasAns?.f1.value),
      half(row.noAns?.f1.value),
    ];
    lines.push(`| ${[row.label, row.nullOddsThreshold.toFixed(3), ...cells].map(bold).join(" | ")} |`);
  }
  const { all, hasAns, noAns } = neverAnswering;
  lines.push(
    `| never answering | | ${all.exact.toFixed(2)} | ${all.f1.toFixed(2)} | ${half(hasAns?.f1)} | ${half(noAns?.f1)} |`,
  );
  return lines.join("\n");
}

function differenceText(evaluation: Evaluation, { entry, paired }: LastRun): string {
  const now = evaluation.scores.find(({ kind }) => kind === evaluation.primary) as ThresholdScores;
  const before = entry.scores.find(({ kind }) => kind === evaluation.primary);
  const commit = entry.commit === null ? "" : `, commit \`${entry.commit}\``;
  const title = `Since the last run (${entry.date.slice(0, 16).replace("T", " ")} UTC${commit}), at the threshold "${now.label}":`;
  if (!before) return `${title} no difference, since that run has no score at this threshold.`;
  const rows = (["exact", "f1"] as const).map((metric) => {
    const difference = paired?.[metric] ?? { value: now.all[metric].value - before[metric] };
    const range = "low" in difference ? `${signed(difference.low)} to ${signed(difference.high)}` : "–";
    const p = "pValue" in difference ? difference.pValue.toFixed(3) : "–";
    const name = metric === "exact" ? "exact" : "F1";
    return `| ${name} | ${before[metric].toFixed(2)} | ${now.all[metric].value.toFixed(2)} | ${arrow(difference.value)} ${signed(difference.value)} | ${range} | ${p} |`;
  });
  const head =
    "| | before | now | difference | 95 % interval (paired) | p |\n| --- | ---: | ---: | ---: | ---: | ---: |";
  const why = paired ? "" : "\n\nNo interval: the last run's answers to these questions are no longer there.";
  return `${title}\n\n${head}\n${rows.join("\n")}${why}`;
}

function arrow(difference: number): string {
  const shown = Number(difference.toFixed(2));
  return shown > 0 ? "▲" : shown < 0 ? "▼" : "=";
}

export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

function interval({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function half(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(2);
}
