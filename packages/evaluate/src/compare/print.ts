import { countOf, type Question } from "@bertqa/core";
import type { PairedDifference } from "../analysis/paired.ts";
import { signed } from "../summary/markdown.ts";
import type { Comparison, Flip, SideScore } from "./compare.ts";

const metrics = [
  ["exact", "exact"],
  ["f1", "F1"],
] as const;

/** A comparison for people. @param questions text of the questions by id, as far as known */
export function comparisonLines(
  comparison: Comparison,
  questions: ReadonlyMap<string, Question>,
  shownFlips: number,
): string[] {
  const { a, b, difference, gained, lost } = comparison;
  const left =
    comparison.leftOut > 0 ? `, ${countOf(comparison.leftOut, "question")} left out that some run lacks` : "";
  const scores = metrics.map(([metric, name]) => {
    return `${name.padEnd(6)} ${sideText(a[metric])} → ${sideText(b[metric])}   ${differenceText(difference[metric])}`;
  });
  return [
    `A = ${a.names.join(", ")}`,
    `B = ${b.names.join(", ")}`,
    `${countOf(comparison.questions, "question")} in ${countOf(comparison.articles, "article")}${left}`,
    "",
    ...scores,
    "",
    ...flipLines("wrong → right", gained, questions, shownFlips),
    ...flipLines("right → wrong", lost, questions, shownFlips),
  ];
}

/** `76.98`, or `76.98 ± 0.40 (3 runs)`. */
function sideText({ mean, standardDeviation, runs }: SideScore): string {
  if (standardDeviation === null) return mean.toFixed(2);
  return `${mean.toFixed(2)} ± ${standardDeviation.toFixed(2)} (${runs.length} runs)`;
}

function differenceText({ value, low, high, pValue }: PairedDifference): string {
  return `${signed(value)} (95 % ${signed(low)} to ${signed(high)}, p = ${pValue.toFixed(3)})`;
}

function flipLines(
  title: string,
  flips: readonly Flip[],
  questions: ReadonlyMap<string, Question>,
  shown: number,
): string[] {
  const lines = flips.slice(0, shown).flatMap((flip) => {
    const question = questions.get(flip.id);
    const gold = question ? ` · gold ${goldText(question)}` : "";
    const head = `  ${flip.id}${question ? `: ${question.question.trim()}` : ""}`;
    return [head, `    A ${answersText(flip.a)} · B ${answersText(flip.b)}${gold}`];
  });
  const more = flips.length > shown ? [`  and ${flips.length - shown} more`] : [];
  return [`${title}: ${countOf(flips.length, "question")}`, ...lines, ...more];
}

function goldText({ answers }: Question): string {
  return answersText(answers.length > 0 ? answers.map(({ text }) => text) : [""]);
}

function answersText(answers: readonly string[]): string {
  return [...new Set(answers)].map((text) => (text === "" ? "no answer" : JSON.stringify(text))).join(" / ");
}
