import { expect, test } from "vitest";
import {
  estimateMeans,
  numberClusters,
  pairedDifference,
  percentile,
  resampleMeans,
} from "../src/analysis/bootstrap.ts";

const plan = { samples: 4000, seed: 3 };

test("two articles of one question each: the mean is low, middle or high with chances 1/4, 1/2 and 1/4", () => {
  const [means] = resampleMeans([0, 1], [[0, 100]], plan) as [Float64Array];
  const share = (value: number) => means.filter((mean) => mean === value).length / plan.samples;
  // The standard error of a share of 1/4 over 4,000 draws is 0.007.
  expect(share(0)).toBeCloseTo(1 / 4, 1);
  expect(share(50)).toBeCloseTo(1 / 2, 1);
  expect(share(0) + share(50) + share(100)).toBe(1);
});

test("articles are drawn whole: questions of one article rise and fall together", () => {
  // Means of 25 and 75: drawn twice each, or once both, never a single question's 0 or 100.
  const [means] = resampleMeans([0, 0, 1, 1], [[0, 50, 50, 100]], plan) as [Float64Array];
  expect(new Set(means)).toEqual(new Set([25, 50, 75]));
});

test("from one article there is no interval, and no p-value", () => {
  expect(estimateMeans([0, 0, 0], [[0, 50, 100]], plan)).toEqual([{ value: 50, interval: null }]);
  // The second column has questions of article 1 alone.
  expect(
    estimateMeans(
      [0, 1],
      [
        [1, 1],
        [NaN, 5],
      ],
      plan,
    )[1],
  ).toEqual({ value: 5, interval: null });
  expect(pairedDifference([0, 0], [0, 0], [0, 100], plan)).toEqual({ value: 50, interval: null, pValue: null });
});

test("an article with more questions weighs more: drawn once each, 3 × 0 and 1 × 100 make 25", () => {
  const [means] = resampleMeans([0, 0, 0, 1], [[0, 0, 0, 100]], plan) as [Float64Array];
  expect(new Set(means)).toEqual(new Set([0, 25, 100]));
});

test("with one question an article, the interval is that of the mean: ± 1.96 standard errors", () => {
  // 400 questions, half of them right: standard error 100 × √(0.25 / 400) = 2.5, so 45.1 to 54.9.
  const scores = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 100 : 0));
  const clusters = numberClusters(scores.map((_, i) => `article ${i}`));
  const [{ value, interval } = { value: NaN, interval: null }] = estimateMeans(clusters, [scores], plan);
  const [low, high] = interval ?? [NaN, NaN];
  expect(value).toBe(50);
  expect(Math.abs(low - 45.1)).toBeLessThan(0.5);
  expect(Math.abs(high - 54.9)).toBeLessThan(0.5);
});

test("NaN leaves a question out of its column, and a draw without any of the half out of the interval", () => {
  const columns = [
    [10, NaN, 30],
    [NaN, 5, 5],
  ];
  const [, second] = resampleMeans([0, 1, 2], columns, plan) as [Float64Array, Float64Array];
  expect(second.some(Number.isNaN)).toBe(true);
  const estimates = estimateMeans([0, 1, 2], columns, plan);
  expect(estimates[0]).toMatchObject({ value: 20 });
  expect(estimates[1]).toEqual({ value: 5, interval: [5, 5] });
});

test("the same seed draws the same, another seed differs", () => {
  const draw = (seed: number) => resampleMeans([0, 1, 2], [[1, 2, 4]], { samples: 20, seed });
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});

test("percentiles lie linearly between ranks, as numpy's", () => {
  // numpy.percentile([1, 2, 4, 8], 40) = 2.4: rank 0.4 × 3 = 1.2, between 2 and 4.
  expect(percentile([1, 2, 4, 8], 0.4)).toBeCloseTo(2.4, 12);
});

test("a paired difference that all questions share is certain; none at all has p = 1", () => {
  const clusters = numberClusters(["a", "b", "c", "d", "e", "f", "g", "h"]);
  const a = [0, 0, 0, 0, 50, 50, 50, 50];
  const better = a.map((score) => score + 10);
  expect(pairedDifference(clusters, a, better, plan)).toMatchObject({
    value: 10,
    interval: [10, 10],
    pValue: 1 / 4001,
  });
  expect(pairedDifference(clusters, a, a, plan)).toMatchObject({ value: 0, interval: [0, 0], pValue: 1 });
});

test("scores that are no whole numbers, as means of three seeds, have the p-value of the numbers that they stand for", () => {
  // 33.3 in each article, or 100 in one: the difference is 0, but the sum of its parts −4.7e-15.
  const third = 100 / 3;
  const { pValue } = pairedDifference([0, 1, 2], [third, third, third], [100, 0, 0], plan);
  expect(pValue).toBe(1);
});

test("the p-value is close to that of the normal test where questions are independent", () => {
  // 400 differences of ±100, 220 up and 180 down: mean 10, deviation √(100² − 10²) = 99.5, standard error 4.97,
  // z = 2.01 → p = 0.044.
  const b = Array.from({ length: 400 }, (_, i) => (i < 220 ? 100 : -100));
  const { value, pValue } = pairedDifference(
    numberClusters(b.map((_, i) => `article ${i}`)),
    b.map(() => 0),
    b,
    plan,
  );
  expect(value).toBe(10);
  expect(Math.abs((pValue ?? NaN) - 0.044)).toBeLessThan(0.015);
});
