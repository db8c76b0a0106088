import { utf16OfCodePoint, type PlacedAnswer, type Question } from "@bertqa/squad";
import { expect, test } from "vitest";
import {
  answerOf,
  answerSpan,
  labelSpan,
  reachOf,
  readPassage,
  sliceOf,
  windowsFor,
  type WordPieceTokenizer,
} from "../src/index.ts";
import { decisionWith, fixtureQuestions, fixtureTokenizer, letterTokenizer } from "./support/files.ts";

const decision = decisionWith({
  window: { maxTokens: 384, windowOverlapTokens: 128, maxQuestionTokens: 64 },
  maxAnswerTokens: 40,
  nBest: 100_000,
});

/** What the label of a question's first answer stands for; undefined where it has none. */
function labelledText(tokenizer: WordPieceTokenizer, { context, answers }: Question): string | undefined {
  const passage = readPassage(tokenizer, context);
  const span = answerSpan(passage.tokens, answers[0] as PlacedAnswer);
  const label = span && labelSpan(passage.tokens, { first: 0, end: passage.tokens.ids.length }, span);
  if (!label) return undefined;
  const start = passage.tokens.startCodePoints[label.first] as number;
  const end = passage.tokens.endCodePoints[label.last] as number;
  return sliceOf(passage, reachOf(passage, { start, end })[0]);
}

/** All texts that a model could answer a question with. */
function candidates(tokenizer: WordPieceTokenizer, { question, context }: Question): string[] {
  const passage = readPassage(tokenizer, context);
  const windows = windowsFor(tokenizer, question, passage, decision.window);
  const logits = windows.windows.map(({ inputIds }) => ({
    startLogits: new Float32Array(inputIds.length),
    endLogits: new Float32Array(inputIds.length),
  }));
  return answerOf(windows, logits, passage, decision).candidates.map(({ text }) => text);
}

const tokenizersFor = (questions: readonly Question[]) => [
  letterTokenizer(questions.map(({ context }) => context)),
  fixtureTokenizer(),
];

test("answers with space at their edges are labelled without it", () => {
  const questions = fixtureQuestions("padded-answers.json");
  for (const tokenizer of tokenizersFor(questions)) {
    expect(questions.map((question) => labelledText(tokenizer, question))).toEqual([
      "had died.",
      "the warden",
      "Salt water",
    ]);
  }
});

test("answers that end in a stripped combining mark are labelled as they stand, and can be predicted", () => {
  const questions = fixtureQuestions("marks.json");
  for (const tokenizer of tokenizersFor(questions)) {
    for (const question of questions) {
      const gold = question.answers[0]?.text as string;
      expect(labelledText(tokenizer, question)).toBe(gold);
      expect(candidates(tokenizer, question)).toContain(gold);
    }
  }
});

test("an answer beside a direction mark or a soft hyphen is among the candidates once, without it", () => {
  // U+2067 and U+2069 isolate the name; the soft hyphen ends a line.
  const context = "The king was \u2067Otto\u2069 of Saxo\u00ad\nny.";
  const question = { ...(fixtureQuestions("marks.json")[0] as Question), question: "who?", context };
  for (const tokenizer of tokenizersFor([question])) {
    const found = candidates(tokenizer, question);
    expect(found).toEqual(expect.arrayContaining(["Otto", "Saxo"]));
    expect(found).not.toContain("\u2067Otto\u2069");
    expect(found).not.toContain("Saxo\u00ad");
    for (const text of ["Otto", "\u2067Otto\u2069"]) {
      const answers = [{ text, startCodePoint: context.indexOf(text) }];
      expect(labelledText(tokenizer, { ...question, answers })).toBe("Otto");
    }
  }
});

test("a span reaches over marks and controls that touch it, never over white space or letters", () => {
  const reach = (text: string, start: number, end: number) => {
    const passage = { text, utf16: utf16OfCodePoint(text) };
    return reachOf(passage, { start, end }).map((span) => sliceOf(passage, span));
  };
  expect(reach("a cafe\u0301 b", 2, 6)).toEqual(["cafe\u0301"]);
  expect(reach("a word b", 2, 6)).toEqual(["word"]);
  expect(reach("a\u200f word\u200f\n", 3, 7)).toEqual(["word", "word\u200f"]);
  expect(reach("𝄞 e\u0301\u200e\u0301", 2, 3)).toEqual(["e\u0301", "e\u0301\u200e\u0301"]);
  // U+000B is removed by clean_text but is white space to people.
  expect(reach("word\u000bmore", 0, 4)).toEqual(["word"]);
});
