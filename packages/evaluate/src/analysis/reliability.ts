import type { ReliabilityBin } from "../results.ts";

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
