import { outcomeOf, scoreAt, type Outcome, type ScoreAt } from "@bertqa/squad";
import { numbersPerCandidate, type PageData, type SpanOrText } from "../page-data.ts";

export interface Candidate {
  /** null for no answer. */
  readonly span: readonly [start: number, end: number] | null;
  readonly text: string;
  readonly probability: number;
  readonly score: number;
}

/** The page's data with the sums that depend on a threshold. Free of the DOM, so that tests run it in Node. */
export class Questions {
  readonly data: PageData;
  #searchTexts: string[] | undefined;

  constructor(data: PageData) {
    this.data = data;
  }

  get count(): number {
    return this.data.questions.id.length;
  }

  context(index: number): string {
    return at(this.data.contexts, at(this.data.questions.context, index));
  }

  article(index: number): string {
    return at(this.data.articles, at(this.data.questions.article, index));
  }

  gold(index: number): { readonly answer: SpanOrText; readonly text: string; readonly count: number }[] {
    return at(this.data.questions.gold, index).map(([answer, count]) => ({
      answer,
      text: this.textOf(index, answer),
      count,
    }));
  }

  textOf(index: number, answer: SpanOrText): string {
    return typeof answer === "string" ? answer : this.context(index).slice(answer[0], answer[1]);
  }

  candidates(index: number): Candidate[] {
    const packed = at(this.data.questions.candidates, index);
    return Array.from({ length: packed.length / numbersPerCandidate }, (_, rank) => {
      const [start = -1, end = -1, probability = 0, score = 0] = packed.slice(rank * numbersPerCandidate);
      const span = start === -1 ? null : ([start, end] as const);
      return { span, text: span ? this.textOf(index, span) : "", probability, score };
    });
  }

  /** Whether an answer is given at a threshold, and its score. */
  scores(index: number, threshold: number | null): ScoreAt {
    const { gold, best, bestExact, bestF1, nullOdds } = this.data.questions;
    const question = {
      hasAns: at(gold, index).length > 0,
      isAnswered: at(best, index) !== "",
      exact: at(bestExact, index),
      f1: at(bestF1, index),
      nullOdds: at(nullOdds, index),
    };
    return scoreAt(question, threshold);
  }

  outcome(index: number, threshold: number | null): Outcome {
    return outcomeOf(at(this.data.questions.gold, index).length > 0, this.scores(index, threshold));
  }

  /** Whether question, id, article, a gold answer or the best span holds the words, whatever their case. */
  matches(index: number, lowerCased: string): boolean {
    this.#searchTexts ??= this.data.questions.id.map((id, question) => this.#searchText(id, question));
    return at(this.#searchTexts, index).includes(lowerCased);
  }

  #searchText(id: string, index: number): string {
    const { question, best } = this.data.questions;
    const article = this.article(index);
    const answers = [...this.gold(index).map((answer) => answer.text), this.textOf(index, at(best, index))];
    return [at(question, index), id, article, article.replaceAll("_", " "), ...answers].join("\n").toLowerCase();
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no entry ${index} among ${values.length}`);
  return value;
}

/** The buttons above the list, in their order. */
export const filters = [
  { name: "All", includes: () => true },
  { name: "Errors", includes: (outcome: Outcome) => outcome !== "right" },
  { name: "Should be no answer", includes: (outcome: Outcome) => outcome === "should be no answer" },
  { name: "Missed answer", includes: (outcome: Outcome) => outcome === "missed answer" },
  { name: "Wrong span", includes: (outcome: Outcome) => outcome === "wrong" },
  { name: "Partial", includes: (outcome: Outcome) => outcome === "partial" },
  { name: "Right", includes: (outcome: Outcome) => outcome === "right" },
] as const;

export const orders = ["As in the file", "Farthest from the threshold", "Nearest the threshold"] as const;

export interface Choice {
  readonly filter: number;
  readonly threshold: number | null;
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
      if (!filter.includes(outcome)) return;
      counts[position] = (counts[position] ?? 0) + 1;
      if (position === choice.filter) shown.push(index);
    });
  }
  return { shown: ordered(questions, shown, choice), counts };
}

function ordered(questions: Questions, shown: number[], { order, threshold }: Choice): number[] {
  if (order === 0) return shown;
  const distance = (index: number) => Math.abs((questions.data.questions.nullOdds[index] ?? 0) - (threshold ?? 0));
  return shown.sort((a, b) => (order === 1 ? distance(b) - distance(a) : distance(a) - distance(b)) || a - b);
}
