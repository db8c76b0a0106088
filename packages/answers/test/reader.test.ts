import { expect, test } from "vitest";
import { answerOf, readPassage, windowsFor, type QuestionWindow } from "../src/index.ts";
import { decisionWith, fixtureTokenizer } from "./support/files.ts";

const decision = decisionWith({
  window: { maxTokens: 16, windowOverlapTokens: 4, maxQuestionTokens: 3 },
  maxAnswerTokens: 5,
  nBest: 3,
});
const tokenizer = fixtureTokenizer();
const { clsId, sepId } = tokenizer;
const words = (count: number) => "the ".repeat(count);

/** Logits of 0, but 5 where `isIt` says so. */
const logitsOf = (windows: readonly QuestionWindow[], isIt: (window: QuestionWindow, token: number) => boolean) =>
  windows.map((window) => {
    const logits = Float32Array.from(window.inputIds, (_, token) => (isIt(window, token) ? 5 : 0));
    return { startLogits: logits, endLogits: logits };
  });

test("a question is framed with each part of the passage; types change after the first [SEP]", () => {
  // 16 − 2 question − 3 = 11 context tokens a window, 4 of them shared: [0,11) [7,18) [14,20).
  const passage = readPassage(tokenizer, words(20));
  const [the] = tokenizer.encode("the").ids;
  const { windows, isQuestionCut } = windowsFor(tokenizer, "  the the", passage, decision.window);
  expect(isQuestionCut).toBe(false);
  expect(windows.map(({ contextTokenCount }) => contextTokenCount)).toEqual([11, 11, 6]);
  const last = windows[2] as QuestionWindow;
  expect([...last.inputIds]).toEqual([clsId, the, the, sepId, the, the, the, the, the, the, sepId]);
  expect([...last.typeIds]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
  expect([...last.contextStartCodePoints]).toEqual([56, 60, 64, 68, 72, 76]);
});

test("a long question is cut, an empty one is asked; a passage without tokens makes one window", () => {
  const { windows, isQuestionCut } = windowsFor(tokenizer, words(9), readPassage(tokenizer, " "), decision.window);
  expect(isQuestionCut).toBe(true);
  expect(windows.map(({ inputIds }) => inputIds.length)).toEqual([3 + 3]);
  const empty = windowsFor(tokenizer, "", readPassage(tokenizer, "the"), decision.window);
  expect([...(empty.windows[0] as QuestionWindow).inputIds].slice(0, 2)).toEqual([clsId, sepId]);
});

test("a question that leaves no room to move is refused with the numbers", () => {
  const limits = { maxTokens: 10, windowOverlapTokens: 4, maxQuestionTokens: 64 };
  expect(() => windowsFor(tokenizer, words(3), readPassage(tokenizer, words(50)), limits)).toThrow(
    "answers: the question's 3 tokens leave 4 of a window for the passage, and windows overlap by 4. Ask in fewer words.",
  );
});

test("the answer is found in whichever window sees it best, at its place in the passage", () => {
  // "river" once, in the middle of the second window.
  const text = `${words(13)}𝄞 River ${words(7)}`;
  const passage = readPassage(tokenizer, text);
  const question = windowsFor(tokenizer, "the the", passage, decision.window);
  const place = [...text].indexOf("R");
  const logits = logitsOf(
    question.windows,
    ({ contextFirstToken, contextStartCodePoints }, token) =>
      contextStartCodePoints[token - contextFirstToken] === place,
  );
  const found = answerOf(question, logits, passage, decision);
  expect(found.answer).toMatch(/^R/);
  expect(found.span?.codePoints[0]).toBe(place);
  expect(found.span?.utf16[0]).toBe(text.indexOf("R"));
  // Null odds 0 − 10, read as log odds.
  expect(found.noAnswerProbability).toBeCloseTo(1 / (1 + Math.exp(10)), 12);
  const none = answerOf(
    question,
    logitsOf(question.windows, (_, token) => token === 0),
    passage,
    decision,
  );
  expect([none.answer, none.span]).toEqual(["", null]);
});

test("logits that are missing, too few or not finite are refused", () => {
  const passage = readPassage(tokenizer, "the river");
  const question = windowsFor(tokenizer, "the", passage, decision.window);
  const broken = logitsOf(question.windows, () => false);
  (broken[0] as { startLogits: Float32Array }).startLogits[1] = NaN;
  const short = { startLogits: new Float32Array(2), endLogits: new Float32Array(2) };
  for (const logits of [broken, [], [short]]) {
    expect(() => answerOf(question, logits, passage, decision)).toThrow("window 0 are missing or not finite");
  }
});
