import type { Artifact } from "@bertqa/core";
import { numberClusters, type BootstrapPlan } from "./analysis/bootstrap.ts";
import { pairedDifference } from "./analysis/paired.ts";
import type { ComparableEvaluation } from "./read-evaluation.ts";
import type { Evaluation, HistoryEntry } from "./results.ts";
import type { LastRun } from "./summary/markdown.ts";

/** An evaluation that is about to be replaced. */
export interface OldEvaluation {
  readonly artifact: Artifact;
  readonly evaluation: ComparableEvaluation;
}

/**
 * The last run of the history with its difference from this one, paired question by question where `old` is that run and
 * both answer the same questions at the same kind of threshold.
 */
export function lastRunOf(
  entries: readonly HistoryEntry[],
  old: OldEvaluation | null,
  now: Evaluation,
  plan: BootstrapPlan,
): LastRun | null {
  const entry = entries.at(-1);
  if (!entry) return null;
  const before = old?.artifact.manifest.contentSha256 === entry.evaluation ? old.evaluation : null;
  const isComparable =
    before?.primary === now.primary &&
    before.questions.length === now.questions.length &&
    before.questions.every(({ id }, i) => id === now.questions[i]?.id);
  if (!before || !isComparable) return { entry, paired: null };
  const clusters = numberClusters(now.questions.map(({ article }) => article));
  const percent = (questions: readonly { exact: number; f1: number }[], metric: "exact" | "f1") =>
    questions.map((question) => 100 * question[metric]);
  const difference = (metric: "exact" | "f1") =>
    pairedDifference(clusters, percent(before.questions, metric), percent(now.questions, metric), plan);
  return { entry, paired: { exact: difference("exact"), f1: difference("f1") } };
}
