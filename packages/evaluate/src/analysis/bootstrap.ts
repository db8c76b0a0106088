import { SeededRandom } from "@bertqa/core";
import type { Estimate } from "@bertqa/report";

/** A score a question: the mean leaves out questions that are NaN. */
export type QuestionValues = ArrayLike<number>;

export interface BootstrapPlan {
  readonly samples: number;
  readonly seed: number;
}

/**
 * Means of columns over the questions with their 95 % intervals, by the percentile bootstrap over clusters (articles): as many
 * clusters as there are, drawn with replacement. Questions of one article share a passage and a subject, so they do not count
 * as independent draws. All columns see the same draws.
 *
 * Dimensions: Q questions, K columns.
 *
 * @param clusterOfQuestion cluster number from 0 of each question, [Q]
 * @param columns           [K][Q]
 * @returns [K]; without interval where fewer than two clusters have a question of the column
 */
export function estimateMeans(
  clusterOfQuestion: readonly number[],
  columns: readonly QuestionValues[],
  plan: BootstrapPlan,
): Estimate[] {
  const resamples = resampleMeans(clusterOfQuestion, columns, plan);
  return columns.map((column, k) => ({ value: meanOf(column), interval: intervalOf(resamples[k] ?? null) }));
}

/** Differences that are nearer to each other are equal: their last digits depend on the order of addition. */
const tieTolerance = 1e-9;

/** A difference of two means over the same questions. */
export interface PairedDifference extends Estimate {
  /** Chance of a difference at least as far from 0 if there were none, two-sided; null where there is no interval. */
  readonly pValue: number | null;
}

/**
 * Paired bootstrap (Efron & Tibshirani, 1993): resamples clusters of questions and looks at `b − a` in each.
 *
 * @param clusterOfQuestion cluster number of each question, [Q]
 * @param a                 scores of the first run, [Q]
 * @param b                 scores of the second run, [Q]
 */
export function pairedDifference(
  clusterOfQuestion: readonly number[],
  a: QuestionValues,
  b: QuestionValues,
  plan: BootstrapPlan,
): PairedDifference {
  const differences = Float64Array.from(a, (score, i) => (b[i] as number) - score);
  const value = meanOf(differences);
  const [resamples = null] = resampleMeans(clusterOfQuestion, [differences], plan);
  if (!resamples) return { value, interval: null, pValue: null };
  // Moved to where no difference is, the resamples show how far chance alone reaches. One is added to both counts, since
  // the data themselves are a draw: no finite number of resamples shows a p-value of 0.
  const asFar = resamples.filter((mean) => Math.abs(mean - value) >= Math.abs(value) - tieTolerance).length;
  return { value, interval: intervalOf(resamples), pValue: (asFar + 1) / (resamples.length + 1) };
}

/** Means of each column in each draw, [K][samples], NaN where a draw has no question of it; null for fewer than two clusters. */
export function resampleMeans(
  clusterOfQuestion: readonly number[],
  columns: readonly QuestionValues[],
  plan: BootstrapPlan,
): (Float64Array | null)[] {
  const clusters = clusterOfQuestion.reduce((max, cluster) => Math.max(max, cluster + 1), 0);
  const totals = columns.map((column) => totalsByCluster(clusterOfQuestion, column, clusters));
  const means = columns.map(() => new Float64Array(plan.samples));
  const random = new SeededRandom(plan.seed, "bootstrap");
  const times = new Int32Array(clusters);
  for (let sample = 0; sample < plan.samples; sample++) {
    times.fill(0);
    for (let i = 0; i < clusters; i++) (times[random.integerBelow(clusters)] as number)++;
    totals.forEach(({ sums, counts }, k) => {
      let sum = 0;
      let count = 0;
      for (let cluster = 0; cluster < clusters; cluster++) {
        const weight = times[cluster] as number;
        sum += weight * (sums[cluster] as number);
        count += weight * (counts[cluster] as number);
      }
      (means[k] as Float64Array)[sample] = sum / count;
    });
  }
  return means.map((column, k) => ((totals[k]?.counts.filter((count) => count > 0).length ?? 0) < 2 ? null : column));
}

/** Numbers clusters from 0 in the order in which they come. */
export function numberClusters(keys: readonly string[]): number[] {
  const numbers = new Map<string, number>();
  return keys.map((key) => {
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}

function meanOf(column: QuestionValues): number {
  const counted = Array.from(column).filter((value) => !Number.isNaN(value));
  return counted.reduce((sum, value) => sum + value, 0) / counted.length;
}

/** The 2.5th and the 97.5th percentile. */
function intervalOf(resamples: Float64Array | null): Estimate["interval"] {
  if (!resamples) return null;
  const sorted = resamples.filter((mean) => !Number.isNaN(mean)).sort();
  return [percentile(sorted, 0.025), percentile(sorted, 0.975)];
}

/** Linear between the two nearest ranks, as numpy's default. @param sorted ascending, not empty */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (at - below) * (high - low);
}

function totalsByCluster(clusterOfQuestion: readonly number[], column: QuestionValues, clusters: number) {
  const sums = new Float64Array(clusters);
  const counts = new Float64Array(clusters);
  clusterOfQuestion.forEach((cluster, i) => {
    const value = column[i] as number;
    if (Number.isNaN(value)) return;
    sums[cluster] = (sums[cluster] as number) + value;
    counts[cluster] = (counts[cluster] as number) + 1;
  });
  return { sums, counts };
}
