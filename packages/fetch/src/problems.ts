import {
  countOf,
  describeProblems as describe,
  effectOf,
  problemCounts,
  summarizeProblems as summarize,
  type Problem,
} from "@bertqa/squad";
import { splitEntries, type BySplit } from "./splits.ts";

/** Problems of each split. */
export type DatasetProblems = BySplit<readonly Problem[]>;

/** One line a problem: train's, then dev's, the sanity set's, and extra's. */
export function describeProblems(problems: DatasetProblems): string[] {
  return splitEntries(problems).flatMap(([split, found]) => describe(split, found));
}

/** Rows that cannot be used. */
export function badRows(problems: readonly Problem[]): Problem[] {
  return problems.filter((problem) => effectOf(problem) === "row");
}

/** `3 bad rows in the dataset: 2 × empty text, 1 × …`. */
export function summarizeBadRows(rows: readonly Problem[]): string {
  return `${countOf(rows.length, "bad row")} in the dataset: ${summarize(rows, ["row"]).join(", ")}`;
}

/** What was lost or read otherwise than written, a line a split. */
export function summarizeReadings(problems: DatasetProblems): string[] {
  return splitEntries(problems).flatMap(([split, found]) => {
    const parts = summarize(found, ["label", "reading"]);
    return parts.length > 0 ? [`${split}: ${parts.join(", ")}`] : [];
  });
}

/** For the manifest: see squad's `problemCounts`. */
export function countProblems(problems: DatasetProblems): Record<string, number> {
  const counts = splitEntries(problems).map(([split, found]) => problemCounts(split, found));
  return Object.assign({}, ...counts) as Record<string, number>;
}
