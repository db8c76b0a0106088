import { utf16OfCodePoint } from "@bertqa/squad";
import { expect, test } from "vitest";
import { answerFrom, nullOddsWithoutSpan, type AnswerRules, type NullScore, type ScoredSpan } from "../src/index.ts";

const rules: AnswerRules = { nBest: 20, nullScoreDifferenceThreshold: 0, noAnswerAllowed: true };
const passage = { text: "Ada wrote it in 1843.", utf16: undefined };

const span = (startCodePoint: number, endCodePoint: number, startLogit: number, endLogit: number): ScoredSpan => ({
  score: startLogit + endLogit,
  startLogit,
  endLogit,
  startCodePoint,
  endCodePoint,
});
const nullOf = (startLogit: number, endLogit: number): NullScore => ({
  score: startLogit + endLogit,
  startLogit,
  endLogit,
});

test("the answer is the best span where the null odds are at or below the threshold", () => {
  // null odds = 5 − 6 = −1
  const found = { spans: [span(16, 20, 4, 2), span(0, 3, 1, 2)], nullScore: nullOf(3, 2) };
  const answer = answerFrom(found, passage, rules);
  expect(answer).toMatchObject({ prediction: "1843", bestSpan: "1843", nullOdds: -1 });
  expect(answer.candidates.map((candidate) => candidate.text)).toEqual(["1843", "", "Ada"]);
});

test("above the threshold the answer is none, and the best span is kept beside it", () => {
  const found = { spans: [span(16, 20, 4, 2)], nullScore: nullOf(4, 3) }; // null odds = 7 − 6 = 1
  expect(answerFrom(found, passage, rules)).toMatchObject({ prediction: "", bestSpan: "1843", nullOdds: 1 });
  const lenient = { ...rules, nullScoreDifferenceThreshold: 1 }; // 1 is not above 1
  expect(answerFrom(found, passage, lenient).prediction).toBe("1843");
});

test("a tie with no answer goes to the span, as in run_qa", () => {
  const answer = answerFrom({ spans: [span(0, 3, 1, 1)], nullScore: nullOf(2, 0) }, passage, rules);
  expect(answer.prediction).toBe("Ada");
  expect(answer.candidates.map((candidate) => candidate.text)).toEqual(["Ada", ""]);
});

test("probabilities are a softmax over the candidates, no answer among them", () => {
  // Scores 2 and 2 − ln 3: weights 1 and 1/3, so 0.75 and 0.25.
  const found = { spans: [span(0, 3, 2, 0)], nullScore: nullOf(2, -Math.log(3)) };
  const { candidates } = answerFrom(found, passage, rules);
  expect(candidates[0]?.probability).toBeCloseTo(0.75, 12);
  expect(candidates[1]).toEqual({
    text: "",
    probability: expect.closeTo(0.25, 12) as number,
    start_logit: 2,
    end_logit: -Math.log(3),
    code_points: null,
    utf16: null,
  });
});

test("no answer is added at the end where its score is too low for the n best", () => {
  const spans = [span(0, 3, 3, 3), span(4, 9, 2, 2), span(16, 20, 1, 1)];
  const texts = (nullScore: NullScore) =>
    answerFrom({ spans, nullScore }, passage, { ...rules, nBest: 2 }).candidates.map(({ text }) => text);
  expect(texts(nullOf(0, 0))).toEqual(["Ada", "wrote", ""]);
  expect(texts(nullOf(5, 0))).toEqual(["Ada", ""]);
  expect(texts(nullOf(9, 0))).toEqual(["", "Ada"]);
});

test("texts of a context with astral characters are sliced by code point", () => {
  // "𝄞 and 🎼!" has 9 code points and 11 UTF-16 units: 🎼 is code point 6, units 7 and 8.
  const music = "𝄞 and 🎼!";
  const found = { spans: [span(6, 7, 1, 1), span(2, 5, 0, 1)], nullScore: nullOf(0, 0) };
  const { candidates } = answerFrom(found, { text: music, utf16: utf16OfCodePoint(music) }, rules);
  expect(candidates.slice(0, 2)).toMatchObject([
    { text: "🎼", code_points: [6, 7], utf16: [7, 9] },
    { text: "and", code_points: [2, 5], utf16: [3, 6] },
  ]);
});

test("a question without an eligible span has no answer, with null odds of a constant", () => {
  for (const nullScore of [nullOf(1, 2), undefined]) {
    const answer = answerFrom(
      { spans: [], nullScore },
      { text: "", utf16: undefined },
      { ...rules, noAnswerAllowed: false },
    );
    expect(answer).toMatchObject({ prediction: "", bestSpan: "", nullOdds: nullOddsWithoutSpan });
    expect(answer.candidates).toMatchObject([{ text: "", probability: 1, start_logit: nullScore?.startLogit ?? 0 }]);
  }
});

test("where every question has an answer, the best span is predicted and no answer is no candidate", () => {
  const found = { spans: [span(0, 3, 1, 1)], nullScore: nullOf(9, 9) };
  const answer = answerFrom(found, passage, { ...rules, noAnswerAllowed: false });
  expect(answer).toMatchObject({ prediction: "Ada", nullOdds: 16, candidates: [{ text: "Ada", probability: 1 }] });
});
