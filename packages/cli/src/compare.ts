import { BertqaError, groupBy, type SanityScore } from "@bertqa/core";
import { numberClusters, pairedDifference, type BootstrapPlan, type PairedDifference } from "@bertqa/evaluate";
import { isDeepStrictEqual } from "node:util";

/** One question of a run. */
export interface RunQuestion {
  readonly id: string;
  /** Hash of what is asked of which passage; absent where only predictions are known. */
  readonly asked?: string | undefined;
  /** The key of its article. */
  readonly article: string;
  readonly answerable: boolean;
  readonly prediction: string;
  /** 0 or 1. */
  readonly exact: number;
  /** 0 to 1. */
  readonly f1: number;
}

/** One evaluated run. */
export interface Run {
  readonly name: string;
  /** The threshold of its scores, for people; "" where its predictions were given as they are. */
  readonly threshold: string;
  readonly questions: readonly RunQuestion[];
  /** Scores of its sanity set, in percent; left out where it has none, or its questions are scored at another threshold. */
  readonly sanity?: SanityScore;
  /** Options of its stages, such as `train.seed`, as their artifacts hold them; left out where only predictions are known. */
  readonly options?: ReadonlyMap<string, unknown>;
  /** Of its training on this machine; left out where it came from a cache, or was interrupted. */
  readonly trainingMinutes?: number;
}

/** One run, or several that differ in their seed alone. */
export type Side = readonly Run[];

/** A mean over a side's runs, in percent. */
export interface SideScore {
  readonly mean: number;
  /** Between the runs, with n − 1; null for a single run. */
  readonly standardDeviation: number | null;
  readonly runs: readonly number[];
}

export interface ComparedSide {
  readonly names: readonly string[];
  readonly thresholds: readonly string[];
  /** Options other than seeds in which its runs differ: its deviation is then not of seeds alone. */
  readonly differsIn: readonly string[];
  readonly exact: SideScore;
  readonly f1: SideScore;
}

/** Means over a side's runs, in percent. */
interface SanityMeans {
  readonly exact: number;
  readonly f1: number;
}

export interface Flip {
  readonly id: string;
  /** Predictions of each side's runs. */
  readonly a: readonly string[];
  readonly b: readonly string[];
}

/** What is counted of runs that are scored on the same questions. */
export interface SharedQuestions {
  /** Questions that all runs have. */
  readonly questions: number;
  /** Questions that some run lacks, or has another one of that id for; they are left out. */
  readonly leftOut: number;
  readonly articles: number;
}

export interface Comparison extends SharedQuestions {
  /** The baseline, and what is compared with it. */
  readonly a: ComparedSide;
  readonly b: ComparedSide;
  /** b − a in percentage points, on the same questions; of several runs, their mean for each question. */
  readonly difference: { readonly exact: PairedDifference; readonly f1: PairedDifference };
  /** Sanity sets, where each run has the same one; few questions, so without interval and p. */
  readonly sanity?: { readonly questions: number; readonly a: SanityMeans; readonly b: SanityMeans };
  /** Questions that more than half of one side's runs get exactly right and at most half of the other's. */
  readonly gained: readonly Flip[];
  readonly lost: readonly Flip[];
}

/**
 * Compares two sides on the questions that all their runs have, in the order of the first run.
 *
 * Method. Between the runs of a side: mean and standard deviation with n − 1 of their scores, since one seed tells little of a
 * recipe (Reimers & Gurevych, "Reporting Score Distributions Makes a Difference", EMNLP 2017). Between the sides: paired
 * percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993; for texts Koehn, "Statistical Significance
 * Tests for Machine Translation Evaluation", EMNLP 2004). A question's score is its mean over the side's runs; the differences
 * b − a of all questions are resampled by whole articles, because questions of one article are no independent draws (the cluster
 * bootstrap: Cameron, Gelbach & Miller, 2008). So the interval says how far other articles could move the difference of these
 * runs. Seeds are not resampled, there are too few: how far others could move it, the deviations say.
 *
 * @throws BertqaError if they have no question in common
 */
export function compareSides(a: Side, b: Side, plan: BootstrapPlan): Comparison {
  const { clusters, answersOf, ...counts } = alignRuns([...a, ...b]);
  const [answersA, answersB] = [answersOf(a), answersOf(b)];
  const difference = (metric: "exact" | "f1") =>
    pairedDifference(clusters, meanScores(answersA, metric), meanScores(answersB, metric), plan);
  return {
    ...counts,
    a: { ...labelsOf(a), ...sideScores(answersA, a.length) },
    b: { ...labelsOf(b), ...sideScores(answersB, b.length) },
    difference: { exact: difference("exact"), f1: difference("f1") },
    ...sanityOf(a, b),
    gained: flips(answersA, answersB, (before, after) => !before && after),
    lost: flips(answersA, answersB, (before, after) => before && !after),
  };
}

function sanityOf(a: Side, b: Side): Pick<Comparison, "sanity"> {
  const runs = [...a, ...b];
  const questions = runs[0]?.sanity?.total;
  const sets = new Set(runs.map(({ sanity }) => `${sanity?.total} ${sanity?.asked}`));
  if (questions === undefined || sets.size > 1) return {};
  const mean = (side: Side, metric: "exact" | "f1") =>
    side.reduce((sum, { sanity }) => sum + (sanity?.[metric] ?? NaN), 0) / side.length;
  const means = (side: Side): SanityMeans => ({ exact: mean(side, "exact"), f1: mean(side, "f1") });
  return { sanity: { questions, a: means(a), b: means(b) } };
}

/** Brings runs to the questions that all of them have. */
function alignRuns(runs: readonly Run[]) {
  const tables = new Map(runs.map((run) => [run, new Map(run.questions.map((question) => [question.id, question]))]));
  const everywhere = (id: string) => {
    const found = runs.map((run) => tables.get(run)?.get(id));
    const asked = new Set(found.flatMap((question) => question?.asked ?? []));
    return !found.includes(undefined) && asked.size < 2;
  };
  const common = (runs[0] as Run).questions.filter(({ id }) => everywhere(id));
  if (common.length === 0) {
    const remedy = "Give their questions ids of their own where these are made of the rows' places";
    throw new BertqaError("compare", "the runs have no question in common, of one id and text", { remedy });
  }
  const all = new Set(runs.flatMap((run) => run.questions.map(({ id }) => id)));
  const clusters = numberClusters(common.map(({ article }) => article));
  return {
    questions: common.length,
    leftOut: all.size - common.length,
    articles: new Set(clusters).size,
    clusters,
    answersOf: (side: Side) => common.map(({ id }) => side.map((run) => tables.get(run)?.get(id) as RunQuestion)),
  };
}

function labelsOf(side: Side): Pick<ComparedSide, "names" | "thresholds" | "differsIn"> {
  const thresholds = [...new Set(side.map(({ threshold }) => threshold))].filter((label) => label !== "");
  const differsIn = differingOptions(side).filter((key) => !isSeed(key));
  return { names: side.map(({ name }) => name), thresholds, differsIn };
}

/** Each question's mean over the runs, in percent. */
function meanScores(answers: readonly (readonly RunQuestion[])[], metric: "exact" | "f1"): number[] {
  return answers.map((runs) => (100 * runs.reduce((sum, run) => sum + run[metric], 0)) / runs.length);
}

function sideScores(answers: readonly (readonly RunQuestion[])[], runCount: number) {
  const score = (metric: "exact" | "f1"): SideScore => {
    const runs = Array.from({ length: runCount }, (_, run) => {
      const sum = answers.reduce((total, question) => total + (question[run] as RunQuestion)[metric], 0);
      return (100 * sum) / answers.length;
    });
    const mean = runs.reduce((sum, value) => sum + value, 0) / runCount;
    const squares = runs.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, standardDeviation: runCount > 1 ? Math.sqrt(squares / (runCount - 1)) : null, runs };
  };
  return { exact: score("exact"), f1: score("f1") };
}

function flips(
  answersA: readonly (readonly RunQuestion[])[],
  answersB: readonly (readonly RunQuestion[])[],
  isFlip: (isRightInA: boolean, isRightInB: boolean) => boolean,
): Flip[] {
  const isRight = (runs: readonly RunQuestion[]) => 2 * runs.filter(({ exact }) => exact === 1).length > runs.length;
  const texts = (runs: readonly RunQuestion[]) => runs.map(({ prediction }) => prediction);
  return answersA.flatMap((a, i) => {
    const b = answersB[i] as readonly RunQuestion[];
    return isFlip(isRight(a), isRight(b)) ? [{ id: (a[0] as RunQuestion).id, a: texts(a), b: texts(b) }] : [];
  });
}

/** Runs of a set that differ in seeds alone. */
interface SetGroup {
  /** Its values of the options in which the set's groups differ, in the order of {@link RunSet.options}. */
  readonly values: readonly unknown[];
  readonly names: readonly string[];
  readonly exact: SideScore;
  readonly f1: SideScore;
  /** F1 of the questions with an answer; null where there are none. */
  readonly answerableF1: SideScore | null;
  /** Mean over the runs of which it is known; null where it is of none. */
  readonly trainingMinutes: number | null;
}

/** A set of runs, such as the cells of a sweep, without anything to compare it with. */
export interface RunSet extends SharedQuestions {
  /** Options other than seeds in which its runs differ. */
  readonly options: readonly string[];
  readonly groups: readonly SetGroup[];
}

/**
 * Gathers runs that differ in seeds alone, and gives each group's mean and standard deviation (with n − 1) on the questions that
 * all runs have. Groups come in the order of their numbers (100 questions before 1,000), else of their first runs.
 *
 * @throws BertqaError if they have no question in common
 */
export function summarizeSet(runs: readonly Run[]): RunSet {
  const { questions, leftOut, articles, answersOf } = alignRuns(runs);
  const options = differingOptions(runs).filter((key) => !isSeed(key));
  const valuesOf = (run: Run) => options.map((key) => run.options?.get(key));
  const groups = groupBy(runs, (run) => JSON.stringify(valuesOf(run).map((value) => value ?? null)));
  const rows = [...groups.values()].map((group): SetGroup => {
    const answers = answersOf(group);
    const answerable = answers.filter(([first]) => first?.answerable);
    const minutes = group.flatMap(({ trainingMinutes }) => trainingMinutes ?? []);
    return {
      values: valuesOf(group[0] as Run),
      names: group.map(({ name }) => name),
      ...sideScores(answers, group.length),
      answerableF1: answerable.length > 0 ? sideScores(answerable, group.length).f1 : null,
      trainingMinutes: minutes.length > 0 ? minutes.reduce((sum, value) => sum + value, 0) / minutes.length : null,
    };
  });
  return { questions, leftOut, articles, options, groups: rows.toSorted(byNumbers) };
}

/** By the first option in which both have numbers that differ. */
function byNumbers(a: SetGroup, b: SetGroup): number {
  for (const [i, value] of a.values.entries()) {
    const other = b.values[i];
    if (typeof value === "number" && typeof other === "number" && value !== other) return value - other;
  }
  return 0;
}

function differingOptions(runs: readonly Run[]): string[] {
  const keys = new Set(runs.flatMap(({ options }) => [...(options?.keys() ?? [])]));
  const known = runs.filter(({ options }) => options !== undefined);
  return [...keys].filter((key) =>
    known.some(({ options }) => !isDeepStrictEqual(options?.get(key), known[0]?.options?.get(key))),
  );
}

function isSeed(key: string): boolean {
  return key.endsWith(".seed");
}
