import { describe, expect, test } from "vitest";
import {
  calibrate,
  chooseThreshold,
  estimateNoAnswerShare,
  expectedCalibrationError,
  noAnswerProbability,
  noAnswerShareOf,
  reliabilityBins,
  weightsForShare,
  type OddsQuestion,
} from "../src/index.ts";
import { oddsQuestion } from "./support/odds.ts";
import { SeededRandom } from "./support/random.ts";

/** Null odds of questions with and without an answer from two normal distributions, N(−gap/2, 1) and N(gap/2, 1). */
function drawn(seed: number, counts: { answerable: number; unanswerable: number }, gap: number): OddsQuestion[] {
  const random = new SeededRandom(seed);
  const uniform = () => (random.integerBelow(2 ** 30) + 1) / (2 ** 30 + 1);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const some = Array.from({ length: counts.answerable }, () => oddsQuestion(normal() - gap / 2, 1));
  const none = Array.from({ length: counts.unanswerable }, () => oddsQuestion(normal() + gap / 2, null));
  return [...some, ...none];
}

describe("another share of questions without an answer than among the held-out ones", () => {
  test("weights bring a kind to its share and keep the sum", () => {
    // 3 with an answer, 1 without. For a half each: 3 · 2/3 = 2 and 1 · 2 = 2, together 4.
    const questions = [oddsQuestion(0, 1), oddsQuestion(0, 1), oddsQuestion(0, 1), oddsQuestion(0, null)];
    const weightOf = weightsForShare(questions, 0.5);
    expect(questions.map(weightOf)).toEqual([2 / 3, 2 / 3, 2 / 3, 2]);
    expect(questions.slice(0, 3).map(weightsForShare(questions.slice(0, 3), 0.5))).toEqual([1, 1, 1]);
  });

  test("a question without an answer that weighs more moves the threshold below it", () => {
    // Answering all gains 1 + 1 and loses 1 for the question at 1; at 3 times the weight it is better refused.
    const questions = [oddsQuestion(0, 1), oddsQuestion(1, null), oddsQuestion(2, 1)];
    expect(chooseThreshold(questions, "f1")).toBe(0.5);
    const answersAll = [...questions, oddsQuestion(3, 1)];
    expect(chooseThreshold(answersAll, "f1")).toBe(4);
    expect(chooseThreshold(answersAll, "f1", ({ hasAns }) => (hasAns ? 1 : 3))).toBe(0.5);
  });

  test("equally weighted, a fit is the fit without weights, and whole weights are repeated questions", () => {
    const questions = drawn(1, { answerable: 60, unanswerable: 20 }, 1.5);
    expect(calibrate(questions, "logistic", () => 1)).toEqual(calibrate(questions, "logistic"));
    // Standardisation differs, and with it the weak prior: so only near.
    const repeated = questions.flatMap((question) => (question.hasAns ? [question] : [question, question, question]));
    const [weighted, longer] = [
      calibrate(questions, "logistic", ({ hasAns }) => (hasAns ? 1 : 3)),
      calibrate(repeated, "logistic"),
    ];
    expect(weighted.slope).toBeCloseTo(longer.slope, 2);
    expect(weighted.intercept).toBeCloseTo(longer.intercept, 2);
  });

  test("a calibration fitted for the share that comes is right there, and one fitted for the held-out share is not", () => {
    const tune = drawn(2, { answerable: 2100, unanswerable: 900 }, 2);
    const dev = drawn(3, { answerable: 1500, unanswerable: 1500 }, 2);
    const errorOf = (expected: number) => {
      const calibration = calibrate(tune, "logistic", weightsForShare(tune, expected));
      const forecasts = dev.map(({ hasAns, nullOdds }) => ({
        probability: noAnswerProbability(calibration, nullOdds),
        isUnanswerable: !hasAns,
      }));
      return expectedCalibrationError(reliabilityBins(forecasts, 10));
    };
    expect(errorOf(0.5)).toBeLessThan(0.03);
    expect(errorOf(noAnswerShareOf(tune))).toBeGreaterThan(0.08);
  });

  test.each([0.1, 0.3, 0.5, 0.8])("the share %d is found without looking at an answer", (share) => {
    // 3,000 held-out questions, 30 % without an answer; 4,000 to be judged. Two standard errors are about 0.03.
    const tune = drawn(4, { answerable: 2100, unanswerable: 900 }, 2);
    const count = 4000;
    const dev = drawn(5, { answerable: Math.round(count * (1 - share)), unanswerable: Math.round(count * share) }, 2);
    const found = estimateNoAnswerShare(
      calibrate(tune, "logistic"),
      noAnswerShareOf(tune),
      dev.map(({ nullOdds }) => nullOdds),
    );
    expect(Math.abs(found - share)).toBeLessThan(0.04);
  });

  test("where nothing is known, the share stays as it is", () => {
    expect(estimateNoAnswerShare({ slope: 1, intercept: 0 }, 0.3, [])).toBe(0.3);
    // Null odds that tell nothing: every question has the held-out share.
    const flat = { slope: 0, intercept: Math.log(0.3 / 0.7) };
    expect(estimateNoAnswerShare(flat, 0.3, [-3, 0, 5])).toBeCloseTo(0.3, 9);
  });
});
