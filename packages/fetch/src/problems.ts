import { countOf, type DatasetSplit } from "@bertqa/core";

/** What can be wrong with a row of a dataset: the name in the manifest's counts, and the words for people. */
const problemKinds = {
  Shape: "row of another shape",
  EmptyText: "empty text",
  BadCharacter: "NUL character or lone surrogate",
  DuplicateId: "duplicate id",
  IdInBothSplits: "id in both train and dev",
  AnswerMismatch: "answer that differs from its context",
  MissingAnswer: "answerable question without answer",
  UnexpectedAnswer: "unanswerable question with answer",
} as const;
export type ProblemKind = keyof typeof problemKinds;

export interface Problem {
  readonly split: DatasetSplit;
  readonly kind: ProblemKind;
  /** Where in the file, for people: article, paragraph, question id, and the JSON path. */
  readonly where: string;
  readonly what: string;
  /** Rows that this problem takes out; 0 for a further problem of a row that is out already. */
  readonly rows: number;
}

/** One line a problem, those of one kind together. */
export function describeProblems(problems: readonly Problem[]): string[] {
  return kindsOf(problems).flatMap((kind) =>
    problems.filter((problem) => problem.kind === kind).map(({ split, where, what }) => `${split}: ${where}: ${what}`),
  );
}

/** `3 problems in the dataset: 2 answers that differ …, 1 duplicate id`. */
export function summarizeProblems(problems: readonly Problem[]): string {
  const parts = kindsOf(problems).map((kind) => {
    const count = problems.filter((problem) => problem.kind === kind).length;
    return `${count.toLocaleString("en-US")} × ${problemKinds[kind]}`;
  });
  return `${countOf(problems.length, "problem")} in the dataset: ${parts.join(", ")}`;
}

/** Rows left out, for the manifest: `trainSkipped`, and `trainSkippedAnswerMismatch` … where not 0. */
export function countSkipped(split: DatasetSplit, problems: readonly Problem[]): Record<string, number> {
  const own = problems.filter((problem) => problem.split === split);
  const rowsOf = (some: readonly Problem[]) => some.reduce((sum, problem) => sum + problem.rows, 0);
  const byKind = kindsOf(own).map(
    (kind) => [`${split}Skipped${kind}`, rowsOf(own.filter((p) => p.kind === kind))] as const,
  );
  return { [`${split}Skipped`]: rowsOf(own), ...Object.fromEntries(byKind.filter(([, rows]) => rows > 0)) };
}

function kindsOf(problems: readonly Problem[]): ProblemKind[] {
  const present = new Set(problems.map((problem) => problem.kind));
  return (Object.keys(problemKinds) as ProblemKind[]).filter((kind) => present.has(kind));
}
