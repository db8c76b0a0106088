import { countOf, printable } from "@bertqa/core";
import { escapeMarkdown, markdownTable, signed, type PairedDifference } from "@bertqa/evaluate";
import { aligned } from "./aligned.ts";
import type { ComparedSide, Comparison, Flip, RunSet, SharedQuestions, SideScore } from "./compare.ts";
import type { NamedQuestion } from "./official/input.ts";

const metrics = [
  ["exact", "exact"],
  ["f1", "F1"],
] as const;

const noInterval = "no interval, as all questions are of one article";

/** What is known of the questions beside the runs' answers, by id. */
export type KnownQuestions = ReadonlyMap<string, NamedQuestion>;

/** A comparison for people; no line can command a terminal, whatever it quotes. @param known questions by id, as far as there are any */
export function comparisonLines(comparison: Comparison, known: KnownQuestions, shownFlips: number): string[] {
  const { a, b, difference } = comparison;
  const scores = metrics.map(([metric, name]) => {
    const { value, interval, pValue } = difference[metric];
    const range = interval ? `95 % ${intervalText(interval)}, p ${pText(pValue, "= ")}` : noInterval;
    return `${name.padEnd(6)} ${sideText(a[metric])} → ${sideText(b[metric])}   ${signed(value)} (${range})`;
  });
  const flipLines = flipsOf(comparison).flatMap(({ title, flips }) => [
    `${title}: ${countOf(flips.length, "question")}`,
    ...flips.slice(0, shownFlips).flatMap((flip) => {
      const { head, answers } = flipTexts(flip, known, ["A", "B"]);
      return [`  ${head}`, `    ${answers}`];
    }),
    ...(flips.length > shownFlips ? [`  and ${flips.length - shownFlips} more`] : []),
  ]);
  const head = [`A = ${labelOf(a)}`, `B = ${labelOf(b)}`, ...mixtureRemarks(comparison, ["A", "B"])];
  const lines = [...head, questionsText(comparison), "", ...scores, ...sanityTexts(comparison), "", ...flipLines];
  return lines.map(printable);
}

/** A comparison as Markdown, for a pull request. */
export function comparisonMarkdown(comparison: Comparison, known: KnownQuestions, shownFlips: number): string {
  const { a, b, difference } = comparison;
  const rows = metrics.map(([metric, name]) => {
    const { value, interval, pValue }: PairedDifference = difference[metric];
    const change = `${arrow(value)} ${signed(value)}`;
    const range = interval ? intervalText(interval) : "–";
    return [name, sideText(a[metric]), sideText(b[metric]), change, range, pText(pValue)];
  });
  const head = ["", "before", "now", "difference", "95 % interval (paired)", "p"];
  const flips = flipsOf(comparison).map(({ title, flips: all }) => {
    const lines = all.slice(0, shownFlips).map((flip) => {
      const { head: question, answers } = flipTexts(flip, known, ["before", "now"]);
      return `- ${escapeMarkdown(question)}: ${escapeMarkdown(answers)}`;
    });
    const more = all.length > shownFlips ? [`- and ${all.length - shownFlips} more`] : [];
    return [`**${title}: ${countOf(all.length, "question")}**`, "", ...lines, ...more].join("\n").trimEnd();
  });
  const blocks = [
    "## Question answering: change",
    `before: ${escapeMarkdown(labelOf(a))}  \nnow: ${escapeMarkdown(labelOf(b))}`,
    ...mixtureRemarks(comparison, ["before", "now"]).map(escapeMarkdown),
    `${questionsText(comparison)}.${difference.exact.interval ? "" : ` There is ${noInterval}.`}`,
    markdownTable([head, ...rows]),
    ...sanityTexts(comparison),
    ...flips,
  ];
  return printableText(`${blocks.join("\n\n")}\n`);
}

/** Markdown goes to a terminal too where it is not redirected. */
function printableText(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Few questions, picked to be hard: what they say is neither tested nor bounded. */
function sanityTexts({ sanity }: Comparison): string[] {
  if (!sanity) return [];
  const change = (metric: "exact" | "f1") => `${sanity.a[metric].toFixed(2)} → ${sanity.b[metric].toFixed(2)}`;
  return [
    `sanity set, ${countOf(sanity.questions, "question")}: exact ${change("exact")}, F1 ${change("f1")} (no interval)`,
  ];
}

/** A set of runs for people: each run, and mean ± standard deviation of those that differ in seeds alone. */
export function setLines(set: RunSet): string[] {
  const table = aligned(setRows(set));
  return [`${questionsText(set)}; ± is the standard deviation between seeds`, "", ...table].map(printable);
}

/** A set of runs as Markdown. */
export function setMarkdown(set: RunSet): string {
  const rows = setRows(set).map((row) => row.map(escapeMarkdown));
  const head = `## Question answering: runs\n\n${questionsText(set)}; ± is the standard deviation between seeds.`;
  return printableText(`${head}\n\n${markdownTable(rows)}\n`);
}

/** A set of runs as CSV, numbers apart from their deviations. */
export function setCsv({ options, groups }: RunSet): string {
  const scores = ["exact", "f1", "answerable_f1"].flatMap((name) => [name, `${name}_deviation`]);
  const head = [...options, ...scores, "training_minutes", "runs"];
  const rows = groups.map(({ values, names, exact, f1, answerableF1, trainingMinutes }) => [
    ...values.map((value) => (typeof value === "object" ? JSON.stringify(value) : (value ?? ""))),
    ...[exact, f1, answerableF1].flatMap((score) => [
      score?.mean.toFixed(2) ?? "",
      score?.standardDeviation?.toFixed(2) ?? "",
    ]),
    trainingMinutes?.toFixed(1) ?? "",
    names.join(" "),
  ]);
  const cell = (value: unknown) =>
    /[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value;
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function setRows({ options, groups }: RunSet): string[][] {
  const isTimed = groups.some(({ trainingMinutes }) => trainingMinutes !== null);
  const head = [...options, "exact", "F1", "F1, answerable", ...(isTimed ? ["training, min"] : []), "runs"];
  const rows = groups.map(({ values, names, exact, f1, answerableF1, trainingMinutes }) => {
    const shown = values.map((value) => (value === undefined ? "default" : JSON.stringify(value)));
    const scores = [sideText(exact), sideText(f1), answerableF1 ? sideText(answerableF1) : "–"];
    return [...shown, ...scores, ...(isTimed ? [trainingMinutes?.toFixed(1) ?? "–"] : []), names.join(", ")];
  });
  return [head, ...rows];
}

function mixtureRemarks({ a, b }: Comparison, names: readonly [a: string, b: string]): string[] {
  return [a, b].flatMap(({ differsIn }, i) =>
    differsIn.length > 0 ? [`The runs of ${names[i]} differ in ${differsIn.join(", ")}: ± is not of seeds alone.`] : [],
  );
}

function flipsOf({ gained, lost }: Comparison) {
  return [
    { title: "wrong → right", flips: gained },
    { title: "right → wrong", flips: lost },
  ];
}

function labelOf({ names, thresholds }: ComparedSide): string {
  return names.join(", ") + (thresholds.length > 0 ? ` (threshold ${thresholds.join(", ")})` : "");
}

function questionsText({ questions, articles, leftOut }: SharedQuestions): string {
  const left =
    leftOut > 0 ? `, ${countOf(leftOut, "question")} left out that some run lacks or asks in other words` : "";
  return `${countOf(questions, "question")} in ${countOf(articles, "article")}${left}`;
}

/** `76.98`, or `76.98 ± 0.40 (3 runs)`. */
function sideText({ mean, standardDeviation, runs }: SideScore): string {
  if (standardDeviation === null) return mean.toFixed(2);
  return `${mean.toFixed(2)} ± ${standardDeviation.toFixed(2)} (${runs.length} runs)`;
}

function intervalText([low, high]: readonly [number, number]): string {
  return `${signed(low)} to ${signed(high)}`;
}

/** No number of resamples shows that there is no chance at all. */
function pText(pValue: number | null, equals = ""): string {
  if (pValue === null) return "–";
  return pValue < 0.0005 ? "< 0.001" : `${equals}${pValue.toFixed(3)}`;
}

function arrow(difference: number): string {
  const shown = Number(difference.toFixed(2));
  return shown > 0 ? "▲" : shown < 0 ? "▼" : "=";
}

function flipTexts({ id, a, b }: Flip, known: KnownQuestions, sides: readonly [a: string, b: string]) {
  const given = `${sides[0]} ${answersText(a)} · ${sides[1]} ${answersText(b)}`;
  const question = known.get(id);
  if (!question) return { head: id, answers: given };
  const gold = question.answers.length > 0 ? question.answers.map(({ text }) => text) : [""];
  return {
    head: `${id}: ${question.question.trim().replace(/\s+/g, " ")}`,
    answers: `${given} · gold ${answersText(gold)}`,
  };
}

function answersText(answers: readonly string[]): string {
  return [...new Set(answers)].map((text) => (text === "" ? "no answer" : JSON.stringify(text))).join(" / ");
}
