import { SeededRandom } from "./support/random.ts";
import { describe, expect, test } from "vitest";
import {
  baggedThreshold,
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

test("a question without a span, whose null odds stand for nothing, moves no threshold and no end of the sweep", () => {
  const questions = Array.from({ length: 40 }, (_, i) =>
    oddsQuestion(i / 8 - 3, i % 7 === 3 || i > 25 ? null : 1, `q${i}`),
  );
  const spanless = { ...oddsQuestion(1000, null), isAnswered: false, exact: 1, f1: 1 };
  const bagged = (of: readonly OddsQuestion[]) => {
    const random = new SeededRandom(3);
    return baggedThreshold(of, "f1", { integerBelow: (end) => random.integerBelow(end), resamples: 200 });
  };
  expect(chooseThreshold([...questions, spanless], "f1")).toBe(chooseThreshold(questions, "f1"));
  expect(bagged([...questions, spanless])).toBeCloseTo(bagged(questions), 1);
  const sweep = sweepThresholds([...questions, spanless], 200);
  expect(sweep.map(({ nullOddsThreshold }) => nullOddsThreshold)).toEqual(
    sweepThresholds(questions, 200).map(({ nullOddsThreshold }) => nullOddsThreshold),
  );
  // Its own score, right at any threshold, still counts: answering nothing is right for it and for all without an answer.
  const unanswerable = questions.filter(({ hasAns }) => !hasAns).length;
  expect(sweep[0]?.f1).toBeCloseTo((100 * (unanswerable + 1)) / 41, 9);
  // Where all have none there is nothing to part: three answerable ones, that would else drag the threshold to 1001.
  expect(
    chooseThreshold(
      [1, 2, 3].map((id) => ({ ...spanless, id: `${id}`, hasAns: true })),
      "f1",
    ),
  ).toBe(0);
});

test("the sweep runs from answering nothing to answering everything, thinned to the points asked for", () => {
  const questions = Array.from({ length: 50 }, (_, i) => oddsQuestion(i, i % 2 === 0 ? 1 : null));
  const sweep = sweepThresholds(questions, 11);
  expect(sweep).toHaveLength(11);
  expect(sweep[0]).toEqual({ nullOddsThreshold: -1, exact: 50, f1: 50 });
  expect(sweep.at(-1)).toEqual({ nullOddsThreshold: 50, exact: 50, f1: 50 });
});

describe("bagging", () => {
  const seeded = (seed: number) => {
    const random = new SeededRandom(seed);
    return (end: number) => random.integerBelow(end);
  };

  test("the threshold is the mean of the best ones of the resamples", () => {
    // Sorted: −4 (F1 1), 2 (no answer). Draws 0 0 → beyond −4: −3; 0 1 → halfway: −1; 1 1 → before 2: 1; again 0 0 → −3.
    const questions = [oddsQuestion(2, null), oddsQuestion(-4, 1)];
    const draws = [0, 0, 0, 1, 1, 1, 0, 0];
    const integerBelow = () => draws.shift() as number;
    expect(baggedThreshold(questions, "f1", { integerBelow, resamples: 4 })).toBe((-3 - 1 + 1 - 3) / 4);
    expect(draws).toEqual([]);
  });

  test("it agrees with the plain rule on each resample written out, questions weighted or not, for exact and F1", () => {
    const make = seeded(7);
    // Odds that repeat, so that some resamples hold several questions at the odds of a cut.
    const questions = Array.from({ length: 40 }, (_, i) =>
      oddsQuestion(make(15) - 7, make(3) === 0 ? null : make(5) / 4, `q${i}`),
    );
    const sorted = questions.toSorted((a, b) => a.nullOdds - b.nullOdds);
    const weightOf = ({ hasAns }: { hasAns: boolean }) => (hasAns ? 0.75 : 1.5);
    for (const metric of ["exact", "f1"] as const) {
      const again = seeded(3);
      const thresholds = Array.from({ length: 25 }, () => {
        const resample = sorted.map(() => sorted[again(sorted.length)] as OddsQuestion);
        return chooseThreshold(resample, metric, weightOf);
      });
      const mean = thresholds.reduce((sum, threshold) => sum + threshold, 0) / 25;
      const plan = { integerBelow: seeded(3), resamples: 25, weightOf };
      expect(baggedThreshold(questions, metric, plan)).toBeCloseTo(mean, 12);
    }
  });

  test("where one threshold is clearly the best, it is the plain rule's", () => {
    // 40 questions at −1 and 40 at 3: that a resample lacks either kind has a chance of 2 · 2⁻⁸⁰.
    const questions = Array.from({ length: 80 }, (_, i) => oddsQuestion(i < 40 ? -1 : 3, i < 40 ? 1 : null, `q${i}`));
    expect(baggedThreshold(questions, "f1", { integerBelow: seeded(1), resamples: 200 })).toBe(1);
    expect(chooseThreshold(questions, "f1")).toBe(1);
  });

  test("where the curve is flat but for one question at its edge, it moves inwards, and the same seed gives the same number", () => {
    // Clear below −20 and above 20. Between, from −19.5 on: +1, then −1 and +1 in turn, but for the first +1, which is a half.
    // So the highest step, 1, is the leftmost, and all others are 0.5 and −0.5.
    const sides = Array.from({ length: 30 }, (_, i) => [oddsQuestion(-21 - i, 1), oddsQuestion(21 + i, null)]).flat();
    const middle = Array.from({ length: 38 }, (_, i) =>
      oddsQuestion(i - 18.75, i % 2 === 0 ? null : i === 1 ? 0.5 : 1),
    );
    const questions = [...sides, ...middle, oddsQuestion(-19.5, 1)];
    expect(chooseThreshold(questions, "f1")).toBeLessThan(-18);
    const bagged = () => baggedThreshold(questions, "f1", { integerBelow: seeded(4), resamples: 500 });
    expect(Math.abs(bagged())).toBeLessThan(6);
    expect(bagged()).toBe(bagged());
  });

  test("without questions it is 0", () => {
    expect(baggedThreshold([], "f1", { integerBelow: seeded(1), resamples: 3 })).toBe(0);
  });
});
