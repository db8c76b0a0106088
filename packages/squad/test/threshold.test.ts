import { SeededRandom } from "./support/random.ts";
import { expect, test } from "vitest";
import {
  chooseThreshold,
  findBestThreshold,
  rankQuestions,
  scoreAt,
  sweepThresholds,
  type OddsQuestion,
} from "../src/index.ts";
import { oddsQuestion } from "./support/odds.ts";

const meanF1 = (questions: readonly OddsQuestion[], threshold: number) =>
  questions.reduce((sum, question) => sum + scoreAt(question, threshold).f1, 0) / questions.length;

test("the threshold lies halfway between the last question to answer and the first to refuse", () => {
  // Answering −3 and −1 gains 1 + 0.5; answering 2 (no answer) would lose 1. Halfway from −1 to 2 is 0.5.
  const questions = [oddsQuestion(-3, 1), oddsQuestion(2, null), oddsQuestion(-1, 0.5)];
  expect(chooseThreshold(questions, "f1")).toBe(0.5);
});

test("of equally good thresholds the nearest to 0 is taken", () => {
  // Answering the first or not is the same: its F1 is 0. Candidates −6 (nothing), −3.5, −1.5 and 0 (all): F1 sums 0, 0, 1, 1.
  const questions = [oddsQuestion(-5, 0), oddsQuestion(-2, 1), oddsQuestion(-1, 0)];
  expect(chooseThreshold(questions, "f1")).toBe(0);
});

test("where nothing or everything is best to answer, the threshold lies beyond all null odds", () => {
  expect(chooseThreshold([oddsQuestion(3, null), oddsQuestion(5, null)], "f1")).toBe(2);
  expect(chooseThreshold([oddsQuestion(3, 1), oddsQuestion(5, 0.5)], "f1")).toBe(6);
});

test("equal null odds are never parted", () => {
  // At odds 1 one question gains 1 and one loses 1: together nothing, so answering neither or both is equally good.
  const questions = [oddsQuestion(1, 1, "a"), oddsQuestion(1, null, "b"), oddsQuestion(-4, 1, "c")];
  const threshold = chooseThreshold(questions, "f1");
  expect(threshold).toBe(-1.5);
  expect(meanF1(questions, threshold)).toBe(2 / 3);
});

test("no threshold does better, and the official search agrees where odds are all different", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 200; round++) {
    const questions = Array.from({ length: 1 + random.integerBelow(12) }, (_, i) => {
      // Above 0, since the official search calls answering nothing threshold 0.
      const odds = 1 + i + random.integerBelow(1000) / 1001;
      return oddsQuestion(odds, random.integerBelow(3) === 0 ? null : random.integerBelow(5) / 4, `q${i}`);
    });
    const best = meanF1(questions, chooseThreshold(questions, "f1"));
    for (const { nullOdds } of questions) expect(best).toBeGreaterThanOrEqual(meanF1(questions, nullOdds) - 1e-12);
    const odds = new Map(questions.map(({ id, nullOdds }) => [id, nullOdds]));
    expect(100 * best).toBeCloseTo(findBestThreshold(rankQuestions(questions, odds), "f1").score, 9);
  }
});

test("the sweep runs from answering nothing to answering everything, thinned to the points asked for", () => {
  const questions = Array.from({ length: 50 }, (_, i) => oddsQuestion(i, i % 2 === 0 ? 1 : null));
  const sweep = sweepThresholds(questions, 11);
  expect(sweep).toHaveLength(11);
  expect(sweep[0]).toEqual({ nullOddsThreshold: -1, exact: 50, f1: 50 });
  expect(sweep.at(-1)).toEqual({ nullOddsThreshold: 50, exact: 50, f1: 50 });
});
