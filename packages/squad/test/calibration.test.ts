import { SeededRandom } from "./support/random.ts";
import { expect, test } from "vitest";
import {
  calibrate,
  expectedCalibrationError,
  noAnswerProbability,
  reliabilityBins,
  uncalibrated,
} from "../src/index.ts";
import { oddsQuestion } from "./support/odds.ts";

/** `count` questions at these null odds, `unanswerable` of them without an answer. */
function at(nullOdds: number, count: number, unanswerable: number) {
  return Array.from({ length: count }, (_, i) =>
    oddsQuestion(nullOdds, i < unanswerable ? null : 1, `${nullOdds}/${i}`),
  );
}

test("two groups give back their own shares: the curve goes through both", () => {
  // Log odds of 20 % are −1.386, of 75 % +1.099: slope (1.099 + 1.386) / 4 = 0.621, intercept −1.386 + 2 × 0.621 = −0.144.
  const calibration = calibrate([...at(-2, 500, 100), ...at(2, 400, 300)], "logistic");
  expect(calibration.slope).toBeCloseTo(0.621, 2);
  expect(calibration.intercept).toBeCloseTo(-0.144, 2);
  expect(noAnswerProbability(calibration, -2)).toBeCloseTo(0.2, 3);
  expect(noAnswerProbability(calibration, 2)).toBeCloseTo(0.75, 3);
});

test("halves that part fully keep finite weights, on the right side", () => {
  const calibration = calibrate([...at(-1, 20, 0), ...at(1, 20, 20)], "logistic");
  expect(Number.isFinite(calibration.slope)).toBe(true);
  expect(noAnswerProbability(calibration, -1)).toBeLessThan(0.01);
  expect(noAnswerProbability(calibration, 1)).toBeGreaterThan(0.99);
});

test("questions that all have an answer, or all the same odds, still give a probability", () => {
  expect(noAnswerProbability(calibrate(at(-1, 30, 0), "logistic"), -1)).toBeLessThan(0.05);
  expect(noAnswerProbability(calibrate(at(7, 100, 30), "logistic"), 7)).toBeCloseTo(0.3, 2);
  expect(calibrate(at(0, 10, 5), "temperature")).toMatchObject({ slope: 0, intercept: 0 });
});

test("a question without a span is left out of the fit", () => {
  const questions = [...at(-2, 100, 20), ...at(2, 80, 60)];
  const spanless = { ...at(1000, 1, 1)[0]!, isAnswered: false };
  for (const method of ["logistic", "temperature"] as const) {
    expect(calibrate([...questions, spanless], method)).toEqual(calibrate(questions, method));
  }
  expect(calibrate([spanless], "logistic")).toBe(uncalibrated);
});

test("temperature fits the slope alone", () => {
  // Symmetric shares of 25 % and 75 % at −2 and 2: log odds ±1.099, slope 0.549.
  const calibration = calibrate([...at(-2, 400, 100), ...at(2, 400, 300)], "temperature");
  expect(calibration.intercept).toBe(0);
  expect(calibration.slope).toBeCloseTo(0.549, 2);
});

test("the scale and the origin of the odds change nothing", () => {
  const base = [...at(-2, 50, 10), ...at(1, 40, 25), ...at(3, 30, 27)];
  const moved = base.map((question) => ({ ...question, nullOdds: 1000 + 40 * question.nullOdds }));
  const [a, b] = [calibrate(base, "logistic"), calibrate(moved, "logistic")];
  for (const odds of [-3, 0, 2.5]) {
    expect(noAnswerProbability(b, 1000 + 40 * odds)).toBeCloseTo(noAnswerProbability(a, odds), 8);
  }
});

test("the weights are those of the maximum: the gradient vanishes but for the weak prior", () => {
  const random = new SeededRandom(4);
  const questions = Array.from({ length: 2000 }, (_, i) => {
    const odds = (random.integerBelow(2000) - 1000) / 100;
    const p = 1 / (1 + Math.exp(-(0.3 * odds - 0.5)));
    return oddsQuestion(odds, random.integerBelow(100_000) < 100_000 * p ? null : 1, `q${i}`);
  });
  const calibration = calibrate(questions, "logistic");
  const residuals = questions.map(
    ({ nullOdds, hasAns }) => noAnswerProbability(calibration, nullOdds) - (hasAns ? 0 : 1),
  );
  expect(Math.abs(residuals.reduce((sum, r) => sum + r, 0))).toBeLessThan(0.1);
  expect(calibration.slope).toBeCloseTo(0.3, 1);
  expect(calibration.intercept).toBeCloseTo(-0.5, 0);
});

test("without held-out questions nothing is fitted", () => {
  expect(calibrate([], "logistic")).toEqual(uncalibrated);
  expect(calibrate(at(1, 10, 5), "none")).toEqual(uncalibrated);
});

test("bins hold their mean probability and observed share; the error weighs them by count", () => {
  const forecast = (probability: number, isUnanswerable: boolean) => ({ probability, isUnanswerable });
  const bins = reliabilityBins([forecast(0.1, false), forecast(0.3, true), forecast(1, true), forecast(0.5, false)], 2);
  expect(bins).toEqual([
    { low: 0, high: 0.5, count: 2, meanProbability: 0.2, observedShare: 0.5 },
    { low: 0.5, high: 1, count: 2, meanProbability: 0.75, observedShare: 0.5 },
  ]);
  // 2/4 × |0.2 − 0.5| + 2/4 × |0.75 − 0.5| = 0.275.
  expect(expectedCalibrationError(bins)).toBeCloseTo(0.275, 12);
  expect(reliabilityBins([forecast(0.95, true)], 10)).toHaveLength(1);
});
