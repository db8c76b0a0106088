import type { OddsQuestion } from "./outcome.ts";

/** Probability of no answer = 1 / (1 + exp(−(slope × null odds + intercept))). */
export interface Calibration {
  readonly method: "logistic" | "temperature" | "none";
  readonly slope: number;
  readonly intercept: number;
  /** `nothing`: slope 1 and intercept 0, since there is no tune split. */
  readonly fittedOn: "tune" | "nothing";
}

/** One bar of a reliability diagram. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly meanProbability: number;
  /** Share of the bin's questions that have no answer. */
  readonly observedShare: number;
}

/** Variance of the Gaussian prior on both weights, over standardised odds: keeps them finite where the halves part fully. */
const priorVariance = 100;
const maxIterations = 100;
const convergedStep = 1e-10;

interface Point {
  readonly weight: number;
  readonly x: number;
  readonly label: number;
}

interface Weights {
  readonly slope: number;
  readonly intercept: number;
}

/** Null odds as they are, read as log odds. */
export const uncalibrated: Calibration = { method: "none", slope: 1, intercept: 0, fittedOn: "nothing" };

/**
 * Fits the probability of no answer to held-out questions: logistic regression on the null odds (Platt, 1999), by Newton's
 * method with a weak prior; `temperature` (Guo et al., 2017) fits the slope alone. Questions without a span are left out.
 *
 * @param weightOf weight of a question's likelihood
 * @returns {@link uncalibrated} where there is nothing to fit on
 */
export function calibrate(
  all: readonly OddsQuestion[],
  method: Calibration["method"],
  weightOf: (question: OddsQuestion) => number = () => 1,
): Calibration {
  const questions = all.filter(({ isAnswered }) => isAnswered);
  if (questions.length === 0 || method === "none") return uncalibrated;
  const odds = questions.map(({ nullOdds }) => nullOdds);
  const hasIntercept = method === "logistic";
  // Standardised, so that the prior means the same for a model with large logits as for one with small ones.
  const centre = hasIntercept ? mean(odds) : 0;
  const scale = Math.sqrt(mean(odds.map((x) => (x - centre) ** 2))) || 1;
  const points = questions.map((question) => ({
    weight: weightOf(question),
    x: (question.nullOdds - centre) / scale,
    label: question.hasAns ? 0 : 1,
  }));
  const { slope, intercept } = fitLogistic(points, hasIntercept);
  return { method, slope: slope / scale, intercept: intercept - (slope * centre) / scale, fittedOn: "tune" };
}

/** Probability of no answer at these null odds. */
export function noAnswerProbability({ slope, intercept }: Weights, nullOdds: number): number {
  return sigmoid(slope * nullOdds + intercept);
}

/**
 * The one probability of no answer that people are shown: 1 where there is no span to give, 0 where an answer is always
 * given, else the calibrated one.
 */
export function shownNoAnswerProbability(
  { isAnswered, nullOdds }: Pick<OddsQuestion, "isAnswered" | "nullOdds">,
  calibration: Weights,
  noAnswerAllowed: boolean,
): number {
  if (!isAnswered) return 1;
  return noAnswerAllowed ? noAnswerProbability(calibration, nullOdds) : 0;
}

/** Each span's share of what the probability of no answer leaves, by the softmax of the spans' scores. */
export function spanProbabilities(scores: readonly number[], noAnswer: number): number[] {
  const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const weights = scores.map((score) => Math.exp(score - highest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => ((1 - noAnswer) * weight) / sum);
}

/** A predicted probability of no answer, and whether there is none. */
export interface Forecast {
  readonly probability: number;
  readonly isUnanswerable: boolean;
}

/** Sorts forecasts into bins of equal width; a probability on an edge goes up, 1 stays in the last. Empty bins are left out. */
export function reliabilityBins(forecasts: readonly Forecast[], binCount: number): ReliabilityBin[] {
  const bins = Array.from({ length: binCount }, () => ({ count: 0, probability: 0, unanswerable: 0 }));
  for (const { probability, isUnanswerable } of forecasts) {
    const bin = bins[Math.min(Math.floor(probability * binCount), binCount - 1)] as (typeof bins)[number];
    bin.count++;
    bin.probability += probability;
    bin.unanswerable += isUnanswerable ? 1 : 0;
  }
  return bins.flatMap(({ count, probability, unanswerable }, i) => {
    if (count === 0) return [];
    const edges = { low: i / binCount, high: (i + 1) / binCount };
    return [{ ...edges, count, meanProbability: probability / count, observedShare: unanswerable / count }];
  });
}

/** Mean distance between forecast and outcome, bins weighted by their questions (Naeini et al., 2015). From 0 to 1. */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number {
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  const gap = (bin: ReliabilityBin) => bin.count * Math.abs(bin.meanProbability - bin.observedShare);
  return bins.reduce((sum, bin) => sum + gap(bin), 0) / Math.max(total, 1);
}

function fitLogistic(points: readonly Point[], hasIntercept: boolean): Weights {
  let weights: Weights = { slope: 0, intercept: 0 };
  let loss = penalizedLoss(points, weights);
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const step = newtonStep(points, weights, hasIntercept);
    let share = 1;
    let next = moved(weights, step, share);
    // The loss is convex: a halved step always gets lower in the end, where a whole one may overshoot.
    while (penalizedLoss(points, next) > loss && share > 1e-6) next = moved(weights, step, (share /= 2));
    weights = next;
    loss = penalizedLoss(points, weights);
    if (Math.abs(step.slope) + Math.abs(step.intercept) < convergedStep) break;
  }
  return weights;
}

function moved(weights: Weights, step: Weights, share: number): Weights {
  return { slope: weights.slope - share * step.slope, intercept: weights.intercept - share * step.intercept };
}

/** Solves H · step = gradient for the 2 × 2 Hessian of the penalized loss. */
function newtonStep(points: readonly Point[], weights: Weights, hasIntercept: boolean): Weights {
  let [gradientSlope, gradientIntercept] = [weights.slope / priorVariance, weights.intercept / priorVariance];
  let [slopes, cross, intercepts] = [1 / priorVariance, 0, 1 / priorVariance];
  for (const { weight, x, label } of points) {
    const p = sigmoid(weights.slope * x + weights.intercept);
    gradientSlope += weight * (p - label) * x;
    gradientIntercept += weight * (p - label);
    const curvature = weight * p * (1 - p);
    slopes += curvature * x * x;
    cross += curvature * x;
    intercepts += curvature;
  }
  if (!hasIntercept) return { slope: gradientSlope / slopes, intercept: 0 };
  const determinant = slopes * intercepts - cross * cross;
  return {
    slope: (intercepts * gradientSlope - cross * gradientIntercept) / determinant,
    intercept: (slopes * gradientIntercept - cross * gradientSlope) / determinant,
  };
}

function penalizedLoss(points: readonly Point[], { slope, intercept }: Weights): number {
  let loss = (slope ** 2 + intercept ** 2) / (2 * priorVariance);
  for (const { weight, x, label } of points) {
    const logit = slope * x + intercept;
    loss += weight * (softplus(logit) - label * logit);
  }
  return loss;
}

/** log(1 + e^x), without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
