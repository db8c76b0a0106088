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
 * Candidates lie halfway between neighbouring null odds, so that each is as far as can be from the questions it parts, and
 * {@link margin} beyond the lowest and the highest. Among equally good ones the one nearest to 0 wins, the threshold of an
 * untuned model; of two as near, the lower.
 *
 * @param weightOf weight of a question in the mean
 */
export function chooseThreshold(
  questions: readonly OddsQuestion[],
  metric: "exact" | "f1",
  weightOf: WeightOf = () => 1,
): number {
  let best: { threshold: number; sum: number } | undefined;
  for (const { threshold, sums } of cuts(questions, weightOf)) {
    const sum = sums[metric];
    const isBetter = !best || sum > best.sum + tieTolerance;
    const isTie = best && Math.abs(sum - best.sum) <= tieTolerance;
    if (isBetter || (isTie && Math.abs(threshold) < Math.abs((best as { threshold: number }).threshold))) {
      best = { threshold, sum };
    }
  }
  return best?.threshold ?? 0;
}

/** Scores over the threshold in percent, at most `points` of them, evenly spread over the questions. */
export function sweepThresholds(questions: readonly OddsQuestion[], points: number): SweepPoint[] {
  const all = [...cuts(questions, () => 1)];
  const count = Math.min(points, all.length);
  return Array.from({ length: count }, (_, i) => {
    const cut = all[Math.round((i * (all.length - 1)) / Math.max(count - 1, 1))] as Cut;
    const percent = (sum: number) => (100 * sum) / questions.length;
    return { nullOddsThreshold: cut.threshold, exact: percent(cut.sums.exact), f1: percent(cut.sums.f1) };
  });
}

interface Cut {
  readonly threshold: number;
  /** Sums of scores over the questions at this threshold. */
  readonly sums: { readonly exact: number; readonly f1: number };
}

type WeightOf = (question: OddsQuestion) => number;

/** All ways to part the questions by a threshold, from answering nothing to answering everything. */
function* cuts(questions: readonly OddsQuestion[], weightOf: WeightOf): Generator<Cut> {
  const sorted = questions.toSorted((a, b) => a.nullOdds - b.nullOdds);
  const unanswerable = sorted.reduce((sum, question) => sum + (question.hasAns ? 0 : weightOf(question)), 0);
  let sums = { exact: unanswerable, f1: unanswerable };
  const first = sorted[0];
  if (!first) return;
  yield { threshold: first.nullOdds - margin, sums };
  for (const [i, question] of sorted.entries()) {
    const noAnswer = question.hasAns ? 0 : 1;
    const weight = weightOf(question);
    sums = {
      exact: sums.exact + weight * (question.exact - noAnswer),
      f1: sums.f1 + weight * (question.f1 - noAnswer),
    };
    const next = sorted[i + 1]?.nullOdds;
    if (next === question.nullOdds) continue;
    yield { threshold: next === undefined ? question.nullOdds + margin : between(question.nullOdds, next), sums };
  }
}

/** A number at or above `low` and below `high`, halfway where there is room. */
function between(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}
