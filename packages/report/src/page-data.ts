/** A part of a passage in UTF-16 offsets, end exclusive, or the text itself where the passage does not hold it. */
export type SpanOrText = readonly [start: number, end: number] | string;

/** A threshold that the error browser can apply. */
interface PageThreshold {
  readonly label: string;
  /** null where an answer is always given. */
  readonly nullOdds: number | null;
}

/** Numbers a candidate takes in {@link QuestionColumns.candidates}: start, end, probability, start logit + end logit. */
export const numbersPerCandidate = 4;

/**
 * One entry a question, all arrays of the same length. Columns, since 11,873 repeated key names would be a fifth of the file.
 */
export interface QuestionColumns {
  readonly id: readonly string[];
  readonly question: readonly string[];
  /** Index into `articles` and `contexts`. */
  readonly article: readonly number[];
  readonly context: readonly number[];
  /** Distinct gold answers with the number of annotators that gave them; empty for an unanswerable question. */
  readonly gold: readonly (readonly (readonly [SpanOrText, count: number])[])[];
  readonly best: readonly SpanOrText[];
  /** Unrounded: thresholds chosen on dev equal one of these values. */
  readonly nullOdds: readonly number[];
  readonly noAnswerProbability: readonly number[];
  /** Scores of the best span, whatever the null odds: 0 or 1, and 0 to 1. */
  readonly bestExact: readonly number[];
  readonly bestF1: readonly number[];
  /** {@link numbersPerCandidate} numbers a candidate, best first; start and end are −1 for no answer. */
  readonly candidates: readonly (readonly number[])[];
}

/** The JSON inside the page, from which its script draws the error browser. Free of imports: Node and browser share it. */
export interface PageData {
  readonly thresholds: readonly PageThreshold[];
  /** Index into `thresholds` of the one that the report's breakdowns use. */
  readonly primary: number;
  readonly articles: readonly string[];
  readonly contexts: readonly string[];
  readonly questions: QuestionColumns;
}
