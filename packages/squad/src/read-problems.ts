import { printable } from "./errors.ts";

/** What a problem of a row costs. */
export type ProblemEffect =
  /** The question cannot be used. */
  | "row"
  /** An answer cannot be used as a label; the question stays. */
  | "label"
  /** Nothing: it was read in the one way that it can mean, and that is said. */
  | "reading";

/** What can be found in a row: the name in the manifest's counts, the effect, and the words for people. */
const problemKinds = {
  Shape: ["row", "row of another shape"],
  EmptyText: ["row", "empty text"],
  BadCharacter: ["row", "NUL character or lone surrogate"],
  BadId: ["row", "id that cannot be used"],
  DuplicateId: ["row", "dev id that comes twice"],
  MissingAnswer: ["row", "training question without an answer or a flag that says there is none"],
  UnexpectedAnswer: ["row", "unanswerable training question with answer"],
  UnusableAnswer: ["row", "training question without an answer that stands in its passage"],
  EmptyAnswer: ["label", "answer without text beside others"],
  LostLabel: ["label", "answer that does not stand in its passage"],
  AmbiguousLabel: ["label", "answer without position that stands in several places"],
  LostPlausible: ["label", "plausible answer that does not stand in its passage"],
  FlagAgainstAnswers: ["reading", "dev question whose is_impossible contradicts its answers"],
  MovedAnswer: ["reading", "answer with a wrong position that stands in one other place"],
  RespelledAnswer: ["reading", "answer spelled otherwise than its passage"],
  RepeatedId: ["reading", "training id that comes again, numbered"],
} as const satisfies Readonly<Record<string, readonly [ProblemEffect, string]>>;
export type ProblemKind = keyof typeof problemKinds;

export interface Problem {
  readonly kind: ProblemKind;
  /** For people: question id, article, and the place in the file. */
  readonly where: string;
  readonly what: string;
}

export function effectOf({ kind }: Problem): ProblemEffect {
  return problemKinds[kind][0];
}

/** One line a problem, those of one kind together, the gravest first. Ids and texts of the data are shown as {@link printable} does. */
export function describeProblems(split: string, problems: readonly Problem[]): string[] {
  return kindsOf(problems).flatMap((kind) =>
    problems
      .filter((problem) => problem.kind === kind)
      .map(({ where, what }) => printable(`${split}: ${where}: ${what}`)),
  );
}

/** `2 × answer that does not stand in its passage`, one a kind; only those with the given effects. */
export function summarizeProblems(problems: readonly Problem[], effects: readonly ProblemEffect[]): string[] {
  return kindsOf(problems)
    .filter((kind) => effects.includes(problemKinds[kind][0]))
    .map((kind) => `${countKind(problems, kind).toLocaleString("en-US")} × ${problemKinds[kind][1]}`);
}

/**
 * Counts for a manifest: `devSkipped`, all rows left out, and each kind that was found: `devSkippedEmptyText`, `devLostLabel`,
 * `trainMovedAnswer` …
 */
export function problemCounts(split: string, problems: readonly Problem[]): Record<string, number> {
  const rows = problems.filter((problem) => effectOf(problem) === "row").length;
  const byKind = kindsOf(problems).map((kind): [string, number] => {
    const skipped = problemKinds[kind][0] === "row" ? "Skipped" : "";
    return [`${split}${skipped}${kind}`, countKind(problems, kind)];
  });
  return { [`${split}Skipped`]: rows, ...Object.fromEntries(byKind) };
}

/** What {@link problemCounts} left in a manifest, in one sentence a split; nothing where all rows were used as they are. */
export function describeLeftOut(counts: Readonly<Record<string, number>>, splits: readonly string[]): string[] {
  return splits.flatMap((split) => {
    const parts = (Object.keys(problemKinds) as ProblemKind[]).flatMap((kind) => {
      const [effect, words] = problemKinds[kind];
      const count = counts[`${split}${effect === "row" ? "Skipped" : ""}${kind}`] ?? 0;
      return count > 0 ? [`${count.toLocaleString("en-US")} × ${words}${effect === "row" ? " (left out)" : ""}`] : [];
    });
    return parts.length > 0 ? [`${split}: ${parts.join(", ")}`] : [];
  });
}

function countKind(problems: readonly Problem[], kind: ProblemKind): number {
  return problems.filter((problem) => problem.kind === kind).length;
}

function kindsOf(problems: readonly Problem[]): ProblemKind[] {
  const present = new Set(problems.map((problem) => problem.kind));
  return (Object.keys(problemKinds) as ProblemKind[]).filter((kind) => present.has(kind));
}
