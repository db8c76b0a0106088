import { SeededRandom, type ThresholdKind } from "@bertqa/core";
import type { Estimate, Halves, IntervalScore, PlainScore, ThresholdScores } from "@bertqa/report";
import {
  baggedThreshold,
  chooseThreshold,
  scoreAt,
  weightsForShare,
  type NoAnswerShare,
  type OddsQuestion,
} from "@bertqa/squad";
import { thresholdResamples, type EvaluateOptions } from "../options.ts";
import { estimateMeans, type BootstrapPlan } from "./bootstrap.ts";

/** A threshold and how it came about, before it is scored. */
export type ChosenThreshold = Pick<ThresholdScores, "kind" | "label" | "nullOddsThreshold" | "chosenOn" | "rule">;

const halves = ["all", "hasAns", "noAns"] as const;
const metrics = ["exact", "f1"] as const;

const labels: Readonly<Record<ThresholdKind, string>> = {
  always: "always answers",
  zero: "0",
  tuned: "tuned on held-out",
  bestExactOnDev: "best exact on dev (optimistic)",
  bestF1OnDev: "best F1 on dev (optimistic)",
};

/** How the threshold is chosen on the held-out questions. */
export interface TuningPlan {
  readonly rule: EvaluateOptions["thresholdRule"];
  readonly seed: number;
  readonly share: NoAnswerShare;
}

/** `tuned on held-out`, for which share of questions without an answer where that is not the held-out questions', and how. */
function tunedLabel({ rule, share }: TuningPlan): string {
  const expected = share.rule === "tune" ? "" : ` for ${(100 * share.expected).toFixed(0)} % without answer`;
  return `${labels.tuned}${expected}, ${rule === "bagged" ? "bagged" : "best F1"}`;
}

function tunedThreshold(tune: readonly OddsQuestion[], { rule, seed, share }: TuningPlan): number {
  const weightOf = weightsForShare(tune, share.expected);
  if (rule === "best") return chooseThreshold(tune, "f1", weightOf);
  const random = new SeededRandom(seed, "threshold");
  const integerBelow = (end: number) => random.integerBelow(end);
  return baggedThreshold(tune, "f1", { integerBelow, resamples: thresholdResamples, weightOf });
}

/** Where an answer is always given there is nothing to choose. */
export const alwaysAnswering: ChosenThreshold = {
  kind: "always",
  label: labels.always,
  nullOddsThreshold: null,
  chosenOn: "nothing",
};

/** The thresholds to report: 0, the one of the tune split where there is one, and dev's own best ones. */
export function chooseThresholds(
  dev: readonly OddsQuestion[],
  tune: readonly OddsQuestion[],
  plan: TuningPlan,
): ChosenThreshold[] {
  const row = (kind: ThresholdKind, nullOddsThreshold: number, chosenOn: ThresholdScores["chosenOn"]) => ({
    kind,
    label: labels[kind],
    nullOddsThreshold,
    chosenOn,
  });
  const tuned = () => ({
    ...row("tuned", tunedThreshold(tune, plan), "tune"),
    label: tunedLabel(plan),
    rule: plan.rule,
  });
  return [
    row("zero", 0, "nothing"),
    ...(tune.length > 0 ? [tuned()] : []),
    row("bestExactOnDev", chooseThreshold(dev, "exact"), "dev"),
    row("bestF1OnDev", chooseThreshold(dev, "f1"), "dev"),
  ];
}

/** Scores dev at each threshold, with intervals from the same resamples of articles. */
export function scoreThresholds(
  dev: readonly OddsQuestion[],
  articleOfQuestion: readonly number[],
  thresholds: readonly ChosenThreshold[],
  plan: BootstrapPlan,
): ThresholdScores[] {
  const columns = thresholds.flatMap(({ nullOddsThreshold }) =>
    halves.flatMap((half) => metrics.map((metric) => percentColumn(dev, nullOddsThreshold, half, metric))),
  );
  const estimates = estimateMeans(articleOfQuestion, columns, plan);
  const totals = countHalves(dev);
  return thresholds.map((threshold, row) => {
    const scoreOf = (half: (typeof halves)[number]): IntervalScore => {
      const first = (row * halves.length + halves.indexOf(half)) * metrics.length;
      const [exact, f1] = estimates.slice(first) as [Estimate, Estimate];
      return { exact, f1, total: totals[half] };
    };
    return { ...threshold, ...ofHalves(totals, scoreOf) };
  });
}

/** What answering "" to every question scores. */
export function neverAnswering(dev: readonly OddsQuestion[]): Halves<PlainScore> {
  const totals = countHalves(dev);
  const score = { all: (100 * totals.noAns) / totals.all, hasAns: 0, noAns: 100 };
  return ofHalves(totals, (half) => ({ exact: score[half], f1: score[half], total: totals[half] }));
}

function ofHalves<Score>(
  totals: Readonly<Record<(typeof halves)[number], number>>,
  scoreOf: (half: (typeof halves)[number]) => Score,
): Halves<Score> {
  return {
    all: scoreOf("all"),
    hasAns: totals.hasAns > 0 ? scoreOf("hasAns") : null,
    noAns: totals.noAns > 0 ? scoreOf("noAns") : null,
  };
}

function countHalves(dev: readonly OddsQuestion[]) {
  const hasAns = dev.filter((question) => question.hasAns).length;
  return { all: dev.length, hasAns, noAns: dev.length - hasAns };
}

/** 100 × score of each question of the half, NaN for the others. */
function percentColumn(
  dev: readonly OddsQuestion[],
  threshold: number | null,
  half: (typeof halves)[number],
  metric: (typeof metrics)[number],
): Float64Array {
  return Float64Array.from(dev, (question) => {
    if (half !== "all" && question.hasAns !== (half === "hasAns")) return NaN;
    return 100 * scoreAt(question, threshold)[metric];
  });
}
