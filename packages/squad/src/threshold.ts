import type { OddsQuestion } from "./outcome.ts";

/** Scores in percent at one threshold. */
export interface SweepPoint {
  readonly nullOddsThreshold: number;
  readonly exact: number;
  readonly f1: number;
}

/** Sums of scores that differ by less are equal: their last digits depend on the order of addition. */
const tieTolerance = 1e-9;
/** How far beyond the outermost null odds the thresholds lie that answer nothing or everything. */
const margin = 1;

/**
 * The threshold on null odds with the highest mean score over `questions`.
 *
 * Candidates lie halfway between neighbouring null odds of questions with a span, so that each is as far as can be from the questions it parts, and
 * {@link margin} beyond the lowest and the highest. Among equally good ones the one nearest to 0 wins, the threshold of an
 * untuned model; of two as near, the lower.
 *
 * @param weightOf weight of a question in the mean; a question of weight 0 is as if it were not there
 */
export function chooseThreshold(
  questions: readonly OddsQuestion[],
  metric: "exact" | "f1",
  weightOf: WeightOf = () => 1,
): number {
  const sorted = sortByOdds(questions);
  return bestThreshold(sorted, Float64Array.from(sorted, weightOf), metric);
}

/** How {@link baggedThreshold} draws its resamples. */
export interface BaggingPlan {
  /** Seeded: a uniform integer from 0 up to, not including, `end`. */
  readonly integerBelow: (end: number) => number;
  readonly resamples: number;
  /** As in {@link chooseThreshold}, beside the times that a question was drawn. */
  readonly weightOf?: WeightOf;
}

/**
 * The mean of the thresholds that {@link chooseThreshold} takes on bootstrap resamples of `questions`: as many questions as
 * there are, drawn with replacement (Breiman, 1996, "Bagging Predictors").
 *
 * The score over the threshold is a staircase: where it is flat, its highest step is where a few questions happen to lie, often
 * at the edge of the flat part. The mean over resamples moves to the middle, and where one step is clearly the highest, stays.
 *
 * @returns 0 where there are no questions
 */
export function baggedThreshold(questions: readonly OddsQuestion[], metric: "exact" | "f1", plan: BaggingPlan): number {
  const { integerBelow, resamples, weightOf = () => 1 } = plan;
  if (questions.length === 0) return 0;
  const sorted = sortByOdds(questions);
  const weights = Float64Array.from(sorted, weightOf);
  const drawn = new Float64Array(sorted.length);
  let sum = 0;
  for (let resample = 0; resample < resamples; resample++) {
    drawn.fill(0);
    sorted.forEach(() => {
      const i = integerBelow(sorted.length);
      drawn[i] = (drawn[i] as number) + (weights[i] as number);
    });
    sum += bestThreshold(sorted, drawn, metric);
  }
  return sum / resamples;
}

/** Scores over the threshold in percent, at most `points` of them, evenly spread over the questions. */
export function sweepThresholds(questions: readonly OddsQuestion[], points: number): SweepPoint[] {
  const sorted = sortByOdds(questions);
  const percent = (sum: number) => (100 * sum) / questions.length;
  const all: SweepPoint[] = [];
  forEachCut(sorted, new Float64Array(sorted.length).fill(1), (nullOddsThreshold, exact, f1) => {
    all.push({ nullOddsThreshold, exact: percent(exact), f1: percent(f1) });
  });
  const count = Math.min(points, all.length);
  return Array.from(
    { length: count },
    (_, i) => all[Math.round((i * (all.length - 1)) / Math.max(count - 1, 1))] as SweepPoint,
  );
}

type WeightOf = (question: OddsQuestion) => number;

function sortByOdds(questions: readonly OddsQuestion[]): OddsQuestion[] {
  return questions.toSorted((a, b) => a.nullOdds - b.nullOdds);
}

/** 0 where no question with a span has a weight. */
function bestThreshold(sorted: readonly OddsQuestion[], weights: Float64Array, metric: "exact" | "f1"): number {
  let best = 0;
  let bestSum = -Infinity;
  forEachCut(sorted, weights, (threshold, exact, f1) => {
    const sum = metric === "exact" ? exact : f1;
    const isTie = Math.abs(sum - bestSum) <= tieTolerance;
    if (isTie ? Math.abs(threshold) >= Math.abs(best) : sum < bestSum) return;
    best = threshold;
    bestSum = sum;
  });
  return best;
}

/**
 * Visits all ways to part the questions by a threshold, from answering nothing to answering everything, with the sums of
 * scores there. It makes no objects, since bagging comes here for each question of each resample.
 *
 * Dimensions: Q questions.
 *
 * @param sorted  null odds ascending, [Q]
 * @param weights float64, [Q]; questions of weight 0, or without a span, part nothing
 */
function forEachCut(
  sorted: readonly OddsQuestion[],
  weights: Float64Array,
  visit: (threshold: number, exactSum: number, f1Sum: number) => void,
): void {
  let exact = 0;
  sorted.forEach((question, i) => (exact += question.hasAns ? 0 : (weights[i] as number)));
  let f1 = exact;
  let last: number | undefined;
  for (let i = 0; i < sorted.length; i++) {
    const weight = weights[i] as number;
    const question = sorted[i] as OddsQuestion;
    // Without a span it gets no answer at any threshold, and its null odds are a stand-in far above all others.
    if (weight === 0 || !question.isAnswered) continue;
    if (question.nullOdds !== last) {
      visit(last === undefined ? question.nullOdds - margin : between(last, question.nullOdds), exact, f1);
    }
    const noAnswer = question.hasAns ? 0 : 1;
    exact += weight * (question.exact - noAnswer);
    f1 += weight * (question.f1 - noAnswer);
    last = question.nullOdds;
  }
  if (last !== undefined) visit(last + margin, exact, f1);
}

/** A number at or above `low` and below `high`, halfway where there is room. */
function between(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}
