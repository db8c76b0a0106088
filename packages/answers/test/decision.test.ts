import { expect, test } from "vitest";
import { decide, parseDecision, type Decision, type NullScore, type ScoredSpan } from "../src/index.ts";

const basis = {
  kind: "tune",
  questions: 120,
  answerable: 70,
  unanswerable: 50,
  articles: 3,
  text: "tune: 120 questions of 3 articles",
  rule: "highest F1, of equals the nearest to 0",
} as const;
const decision: Decision = {
  formatVersion: 1,
  window: { maxTokens: 384, windowOverlapTokens: 128, maxQuestionTokens: 64 },
  maxAnswerTokens: 30,
  nBest: 20,
  noAnswerAllowed: true,
  threshold: { nullOdds: 1.5, basis },
  calibration: { method: "logistic", slope: 0.5, intercept: -0.25, basis },
  answerability: null,
};
const passage = { text: "Ada wrote it in 1843.", utf16: undefined };

const span = (startCodePoint: number, endCodePoint: number, score: number): ScoredSpan => ({
  score,
  startLogit: score,
  endLogit: 0,
  startCodePoint,
  endCodePoint,
});
const nullOf = (score: number): NullScore => ({ score, startLogit: score, endLogit: 0 });

test("the threshold decides, the calibration gives the one probability of no answer", () => {
  // Null odds 5.5 − 5 = 0.5: not above 1.5, so the span is given. Calibrated: sigmoid(0.5 × 0.5 − 0.25) = sigmoid(0) = 0.5.
  const spans = [span(16, 20, 5), span(0, 3, 5 - Math.log(3))];
  const decided = decide({ spans, nullScore: nullOf(5.5) }, passage, decision);
  expect(decided).toMatchObject({ answer: "1843", nullOdds: 0.5, noAnswerProbability: 0.5 });
  expect(decided.span).toMatchObject({ codePoints: [16, 20], utf16: [16, 20] });
  // The other half is dealt out by softmax: weights 1 and 1/3.
  expect(decided.candidates.map(({ text }) => text)).toEqual(["1843", "Ada"]);
  expect(decided.candidates.map(({ probability }) => probability)).toEqual([
    expect.closeTo(0.375, 12),
    expect.closeTo(0.125, 12),
  ]);
  expect(decided.probability).toBeCloseTo(0.375, 12);
});

test("characters that are not seen beside an answer make no second one: neither a candidate nor a share of its probability", () => {
  const text = "\u200eAda\u200b wrote it.";
  const decided = decide(
    { spans: [span(1, 4, 5), span(6, 11, 5 - Math.log(3))], nullScore: nullOf(5.5) },
    { text, utf16: undefined },
    decision,
  );
  expect(decided.candidates.map(({ text }) => text)).toEqual(["Ada", "wrote"]);
  expect(decided.probability).toBeCloseTo(0.375, 12);
});

test("above the threshold no answer is given, with its own probability, and the spans stay as candidates", () => {
  // Null odds 7 − 5 = 2 > 1.5; sigmoid(2 × 0.5 − 0.25) = sigmoid(0.75) = 0.679.
  const decided = decide({ spans: [span(16, 20, 5)], nullScore: nullOf(7) }, passage, decision);
  expect(decided).toMatchObject({ answer: "", span: null, candidates: [{ text: "1843" }] });
  expect(decided.probability).toBe(decided.noAnswerProbability);
  expect(decided.noAnswerProbability).toBeCloseTo(0.679, 3);
});

test("without a calibration the null odds are read as log odds", () => {
  const found = { spans: [span(16, 20, 5)], nullScore: nullOf(5 + Math.log(3)) };
  expect(decide(found, passage, { ...decision, calibration: null }).noAnswerProbability).toBeCloseTo(0.75, 12);
});

test("where no answer is not allowed, the best span is given and no answer has probability 0", () => {
  const found = { spans: [span(16, 20, 5)], nullScore: nullOf(99) };
  const decided = decide(found, passage, { ...decision, noAnswerAllowed: false });
  expect(decided).toMatchObject({ answer: "1843", noAnswerProbability: 0, probability: 1 });
});

test("a passage without an eligible span has no answer for sure", () => {
  const decided = decide({ spans: [], nullScore: nullOf(-3) }, { text: "", utf16: undefined }, decision);
  expect(decided).toEqual({
    answer: "",
    span: null,
    probability: 1,
    noAnswerProbability: 1,
    nullOdds: 1000,
    candidates: [],
  });
});

test("an answerability score moves the null odds by its weight; a model without one is refused", () => {
  const withHead = { ...decision, answerability: { weight: 2 } };
  const found = { spans: [span(16, 20, 5)], nullScore: nullOf(5) };
  expect(decide({ ...found, answerability: 0.75 }, passage, withHead).nullOdds).toBe(1.5);
  expect(() => decide(found, passage, withHead)).toThrow("asks for an answerability score");
});

test("a decision reads back; another version or an unknown key is refused by name", () => {
  const text = JSON.stringify(decision);
  expect(parseDecision("ask", JSON.parse(text), "decision.json")).toEqual(decision);
  const read = (change: object) => () => parseDecision("ask", { ...decision, ...change }, "m/decision.json");
  expect(read({ formatVersion: 2 })).toThrow(
    "ask: decision.json is of format version 2, expected 1. Run the evaluate stage again, and export the model again. (m/decision.json)",
  );
  expect(read({ treshold: 1 })).toThrow('decision.json is not valid: : Unrecognized key: "treshold"');
  expect(read({ nBest: 0 })).toThrow("nBest: ");
  expect(() => parseDecision("ask", null, "decision.json")).toThrow("format version undefined");
});
