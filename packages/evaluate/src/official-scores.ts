import {
  findBestThreshold,
  precisionRecallCurves,
  rankQuestions,
  scoreQuestions,
  summarize,
  type OfficialScores,
} from "@bertqa/squad";
import type { AnsweredSplit } from "./analysis/results.ts";

/**
 * `scores.json`: the official evaluator's keys. The main scores are those of the predictions as given; the best thresholds
 * and average precisions are those of the best spans with their null odds, since a prediction that is already "" has no
 * answer to give at another threshold.
 */
export function officialScores(dev: AnsweredSplit, predictions: Readonly<Record<string, string>>): OfficialScores {
  const { questions } = dev;
  const odds = new Map(questions.map(({ id }) => [id, dev.nullOdds[id] as number]));
  const ranked = rankQuestions(scoreQuestions(questions, (id) => dev.bestSpans[id]).questions, odds);
  const bestExact = findBestThreshold(ranked, "exact");
  const bestF1 = findBestThreshold(ranked, "f1");
  const curves = precisionRecallCurves(ranked);
  return {
    ...summarize(scoreQuestions(questions, (id) => predictions[id]).questions),
    best_exact: bestExact.score,
    best_exact_thresh: bestExact.threshold,
    best_f1: bestF1.score,
    best_f1_thresh: bestF1.threshold,
    ...(curves && {
      pr_exact_ap: curves.exact.averagePrecision,
      pr_f1_ap: curves.f1.averagePrecision,
      pr_oracle_ap: curves.oracle.averagePrecision,
    }),
  };
}
