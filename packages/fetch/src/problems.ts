import type { DatasetSplit } from "@bertqa/core";
import {
  describeProblems as describe,
  effectOf,
  problemCounts,
  summarizeProblems as summarize,
  type Problem,
} from "@bertqa/squad";

/** Problems of both splits. */
export type DatasetProblems = Readonly<Record<DatasetSplit, readonly Problem[]>>;

/** One line a problem: train's, then dev's. */
export function describeProblems(problems: DatasetProblems): string[] {
  return [...describe("train", problems.train), ...describe("dev", problems.dev)];
}

/** Rows that cannot be used. */
export function badRows(problems: DatasetProblems): Problem[] {
  return [...problems.train, ...problems.dev].filter((problem) => effectOf(problem) === "row");
}

/** `3 bad rows in the dataset: 2 × empty text, 1 × …`. */
export function summarizeBadRows(problems: DatasetProblems): string {
  const rows = badRows(problems);
  const parts = summarize(rows, ["row"]).join(", ");
  return `${rows.length.toLocaleString("en-US")} bad row${rows.length === 1 ? "" : "s"} in the dataset: ${parts}`;
}

/** What was lost or read otherwise than written, a line a split. */
export function summarizeReadings(problems: DatasetProblems): string[] {
  return (["train", "dev"] as const).flatMap((split) => {
    const parts = summarize(problems[split], ["label", "reading"]);
    return parts.length > 0 ? [`${split}: ${parts.join(", ")}`] : [];
  });
}

/** For the manifest: see squad's `problemCounts`. */
export function countProblems(problems: DatasetProblems): Record<string, number> {
  return { ...problemCounts("train", problems.train), ...problemCounts("dev", problems.dev) };
}
