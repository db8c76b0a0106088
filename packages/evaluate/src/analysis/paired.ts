import type { Estimate } from "../results.ts";
import { bootstrapMeans, estimateOf, meanOf, type BootstrapPlan, type QuestionValues } from "./bootstrap.ts";

/** A difference of two means over the same questions. */
export interface PairedDifference extends Estimate {
  /** Chance of a difference at least as far from 0 if there were none: two-sided, from the same resamples. */
  readonly pValue: number;
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
  const resamples = bootstrapMeans(clusterOfQuestion, [differences], plan)[0] as Float64Array;
  // Moved to where no difference is, the resamples show how far chance alone reaches. One is added to both counts, since
  // the data themselves are a draw: no finite number of resamples shows a p-value of 0.
  const asFar = resamples.filter((mean) => Math.abs(mean - value) >= Math.abs(value)).length;
  return { ...estimateOf(value, resamples), pValue: (asFar + 1) / (resamples.length + 1) };
}
