import { groupBy } from "@bertqa/core";
import type { Breakdown, PlainScore } from "@bertqa/report";
import { articleKey, type Question } from "@bertqa/squad";

/** A question with its score at the threshold in use, exact 0 or 1, F1 0 to 1. */
export interface JudgedQuestion {
  readonly question: Question;
  readonly exact: number;
  readonly f1: number;
}

const questionWords = /\b(how (?:many|much|long|old|far|often)|who(?:m|se)?|what|which|when|where|why|how)\b/;
const answerLengths = ["no answer", "1 word", "2 words", "3–4 words", "5–9 words", "10 words or more"];
const contextLengths = ["under 100 words", "100–149 words", "150–199 words", "200–299 words", "300 words or more"];

/** Scores by kind of question. */
export function breakDown(questions: readonly JudgedQuestion[]): Breakdown[] {
  return [
    group(questions, "answerability", answerability, ["answerable", "unanswerable"]),
    group(questions, "question word", ({ question }) => questionWord(question)),
    group(questions, "answer length", answerLength, answerLengths),
    group(questions, "context length", ({ context }) => contextLength(context), contextLengths),
    group(questions, "article", articleKey),
  ];
}

/** The first question word anywhere: "In what year …" asks with what. */
function questionWord(question: string): string {
  const found = questionWords.exec(question.toLowerCase())?.[1];
  return found === undefined ? "other" : found.replace(/^who(?:m|se)$/, "who");
}

function answerability({ answers }: Question): string {
  return answers.length > 0 ? "answerable" : "unanswerable";
}

/** By the shortest gold answer. */
function answerLength({ answers }: Question): string {
  if (answers.length === 0) return "no answer";
  const words = Math.min(...answers.map(({ text }) => countWords(text)));
  if (words <= 1) return "1 word";
  if (words === 2) return "2 words";
  return words < 5 ? "3–4 words" : words < 10 ? "5–9 words" : "10 words or more";
}

function contextLength(context: string): string {
  const words = countWords(context);
  const limits = [100, 150, 200, 300];
  return contextLengths[limits.filter((limit) => words >= limit).length] as string;
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** @param order labels in the order to show; without it, the largest group first */
function group(
  questions: readonly JudgedQuestion[],
  by: Breakdown["by"],
  labelOf: (question: Question) => string,
  order?: readonly string[],
): Breakdown {
  const members = groupBy(questions, ({ question }) => labelOf(question));
  const groups = [...members].map(([label, part]) => ({ label, ...meanScore(part) }));
  if (order) groups.sort((a, b) => order.indexOf(a.label) - order.indexOf(b.label));
  else groups.sort((a, b) => b.total - a.total || (a.label < b.label ? -1 : 1));
  return { by, groups };
}

/** Mean scores in percent. */
export function meanScore(questions: readonly { readonly exact: number; readonly f1: number }[]): PlainScore {
  const count = questions.length;
  const sum = (metric: "exact" | "f1") => questions.reduce((total, question) => total + question[metric], 0);
  return { exact: (100 * sum("exact")) / count, f1: (100 * sum("f1")) / count, total: count };
}
