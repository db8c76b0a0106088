import type { Outcome } from "../../results.ts";
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

  /** Whether the threshold leaves the best span standing; a best span of "" is no answer either. */
  answers(index: number, threshold: number): boolean {
    return this.#isWithin(index, threshold) && at(this.data.questions.best, index) !== "";
  }

  /** As the official evaluator applies a threshold: beyond it, 1 for an unanswerable question and 0 for any other. */
  scores(index: number, threshold: number): { readonly exact: number; readonly f1: number } {
    const { gold, bestExact, bestF1 } = this.data.questions;
    if (this.#isWithin(index, threshold)) return { exact: at(bestExact, index), f1: at(bestF1, index) };
    const score = at(gold, index).length === 0 ? 1 : 0;
    return { exact: score, f1: score };
  }

  /** The evaluation's outcome, at any threshold. */
  outcome(index: number, threshold: number): Outcome {
    const { exact, f1 } = this.scores(index, threshold);
    if (exact === 1) return "right";
    if (at(this.data.questions.gold, index).length === 0) return "should be no answer";
    if (!this.answers(index, threshold)) return "missed answer";
    return f1 > 0 ? "partial" : "wrong";
  }

  #isWithin(index: number, threshold: number): boolean {
    return at(this.data.questions.nullOdds, index) <= threshold;
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
