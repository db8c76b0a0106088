const binCount = 20;

/** Shares of each half in 20 equal bins of the no-answer probability, [20] each; null where the half is empty. */
export interface NoAnswerHistograms {
  readonly hasAns: readonly number[] | null;
  readonly noAns: readonly number[] | null;
}

/**
 * The evaluator's histograms of no-answer probability: shares of each half in 20 equal bins from 0 to 1, the last with its
 * upper edge. What lies outside counts for the whole but is in no bin, as in the script's plots.
 */
export function noAnswerHistograms(
  questions: readonly { readonly hasAns: boolean; readonly naProb: number }[],
): NoAnswerHistograms {
  const half = (hasAns: boolean) => shares(questions.filter((q) => q.hasAns === hasAns).map(({ naProb }) => naProb));
  return { hasAns: half(true), noAns: half(false) };
}

function shares(probabilities: readonly number[]): number[] | null {
  if (probabilities.length === 0) return null;
  const counts = Array.from({ length: binCount }, () => 0);
  for (const probability of probabilities) {
    if (!(probability >= 0 && probability <= 1)) continue;
    const bin = Math.min(Math.floor(probability * binCount), binCount - 1);
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts.map((count) => count / probabilities.length);
}
