import { printable } from "@bertqa/squad";
import { styleText } from "node:util";
import type { QuestionAnswer } from "../question-answering.ts";
import type { AskedQuestion } from "./questions.ts";
import { sentenceAround } from "./sentence.ts";

/** Marks the answer within its sentence: by colour on a terminal, by brackets elsewhere. */
export type Mark = (answer: string) => string;

export function markFor(stream: NodeJS.WriteStream): Mark {
  const isColoured = stream.isTTY && stream.hasColors();
  return (answer) => (isColoured ? styleText(["bold", "yellow"], answer) : `[${answer}]`);
}

/** A question and its answer for people: the answer, its probability and its sentence. */
export function renderAnswer(asked: AskedQuestion, context: string, result: QuestionAnswer, mark: Mark): string {
  const lines = [oneLine(asked.question.trim())];
  if (result.span) {
    const [start, end] = result.span.codePoints;
    lines.push(`  ${oneLine(result.answer)} · probability ${shown(result.score)} · characters ${start}–${end}`);
    lines.push(`  ${renderSentence(context, result.span, mark)}`);
  } else {
    const best = result.candidates[0];
    const guess = best ? ` · best span: ${oneLine(best.text)} (${shown(best.score)})` : "";
    lines.push(`  no answer in the passage · probability ${shown(result.noAnswerProbability)}${guess}`);
  }
  const others = result.span ? result.candidates.slice(1) : [];
  return [...lines, ...others.map(({ text, score }) => `  or: ${oneLine(text)} (${shown(score)})`), ""].join("\n");
}

export function renderSentence(context: string, span: Parameters<typeof sentenceAround>[1], mark: Mark): string {
  const { before, marked, after } = sentenceAround(context, span);
  return `${oneLine(before)}${mark(oneLine(marked))}${oneLine(after)}`;
}

/** Text from elsewhere on one line of a terminal, which it cannot command. */
export function oneLine(text: string): string {
  return printable(text.replace(/\s+/gu, " "));
}

export function shown(probability: number): string {
  return probability.toFixed(2);
}

/** A question and its answer as one line of JSON. */
export function jsonLine(asked: AskedQuestion, result: QuestionAnswer): string {
  const { id, question } = asked;
  return `${JSON.stringify({ ...(id !== undefined && { id }), question, ...result })}\n`;
}
