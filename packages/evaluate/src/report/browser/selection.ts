import type { Outcome } from "@bertqa/squad";
import type { Questions } from "./questions.ts";

/** The buttons above the list, in their order. */
export const filters = [
  { name: "All", holds: () => true },
  { name: "Errors", holds: (outcome: Outcome) => outcome !== "right" },
  { name: "Should be no answer", holds: (outcome: Outcome) => outcome === "should be no answer" },
  { name: "Missed answer", holds: (outcome: Outcome) => outcome === "missed answer" },
  { name: "Wrong span", holds: (outcome: Outcome) => outcome === "wrong" },
  { name: "Partial", holds: (outcome: Outcome) => outcome === "partial" },
  { name: "Right", holds: (outcome: Outcome) => outcome === "right" },
] as const;

export const orders = ["As in the file", "Farthest from the threshold", "Nearest the threshold"] as const;

export interface Choice {
  readonly filter: number;
  readonly threshold: number;
  readonly order: number;
  readonly search: string;
}

export interface Selection {
  /** Questions to list, in order. */
  readonly shown: readonly number[];
  /** How many questions each filter would show, given search and threshold: as long as {@link filters}. */
  readonly counts: readonly number[];
}

/** The questions that a reader's choice leaves. */
export function select(questions: Questions, choice: Choice): Selection {
  const words = choice.search.trim().toLowerCase();
  const counts = filters.map(() => 0);
  const shown: number[] = [];
  for (let index = 0; index < questions.count; index++) {
    if (words !== "" && !questions.matches(index, words)) continue;
    const outcome = questions.outcome(index, choice.threshold);
    filters.forEach((filter, position) => {
      if (!filter.holds(outcome)) return;
      counts[position] = (counts[position] ?? 0) + 1;
      if (position === choice.filter) shown.push(index);
    });
  }
  return { shown: ordered(questions, shown, choice), counts };
}

function ordered(questions: Questions, shown: number[], { order, threshold }: Choice): number[] {
  if (order === 0) return shown;
  const distance = (index: number) => Math.abs((questions.data.questions.nullOdds[index] ?? 0) - threshold);
  return shown.sort((a, b) => (order === 1 ? distance(b) - distance(a) : distance(a) - distance(b)) || a - b);
}
