import { SeededRandom } from "@bertqa/core";
import type { Estimate } from "../results.ts";

/** A mean over questions: `value[i]` counts for question `i` unless it is NaN, which leaves the question out. */
export type QuestionValues = ArrayLike<number>;

export interface BootstrapPlan {
  readonly samples: number;
  readonly seed: number;
}

/**
 * Draws clusters (articles) with replacement, as many as there are, and takes each column's mean over the questions of the
 * drawn clusters. Questions of one article share a passage and a subject, so they do not count as independent draws.
 * All columns see the same draws: differences between them are paired.
 *
 * Dimensions: Q questions, K columns, S samples.
 *
 * @param clusterOfQuestion cluster number from 0 of each question, [Q]
 * @param columns           [K][Q]
 * @returns means [K][S]; NaN where a draw has no question of the column
 */
export function bootstrapMeans(
  clusterOfQuestion: readonly number[],
  columns: readonly QuestionValues[],
  plan: BootstrapPlan,
): Float64Array[] {
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
  return means;
}

/** Numbers clusters from 0 in the order in which they come. */
export function numberClusters(keys: readonly (string | number)[]): number[] {
  const numbers = new Map<string | number, number>();
  return keys.map((key) => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  });
}

/** The mean of a column, without the questions that are NaN in it. */
export function meanOf(column: QuestionValues): number {
  let sum = 0;
  let count = 0;
  for (const value of Array.from(column)) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

/** A mean with the 2.5th and 97.5th percentile of its resamples. */
export function estimateOf(value: number, resamples: Float64Array): Estimate {
  const sorted = resamples.filter((mean) => !Number.isNaN(mean)).sort();
  if (sorted.length === 0) return { value, low: value, high: value };
  return { value, low: percentile(sorted, 0.025), high: percentile(sorted, 0.975) };
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
