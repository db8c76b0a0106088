/**
 * What the page asks: a server, or a model that runs in the browser. Both answer with the same type, the one that `bertqa` gives in a
 * program and prints as JSON Lines.
 */
export interface BackEnd {
  /**
   * Makes the model ready. Called again after it failed.
   *
   * @param report called as bytes arrive
   * @throws PageError if no model can be had
   */
  open(report: (progress: LoadProgress) => void): Promise<ModelFacts>;
  /**
   * Answers a question. Rejects with the signal's reason once it is aborted.
   *
   * @param report called with windows read, where the back end knows them
   * @throws PageError with a line for people
   */
  answer(
    question: AskedQuestion,
    signal: AbortSignal,
    report: (windowsDone: number, windowsTotal: number) => void,
  ): Promise<Answer>;
}

export interface AskedQuestion {
  readonly question: string;
  readonly context: string;
  /** Candidates wanted, the answer among them. */
  readonly topK: number;
}

export interface LoadProgress {
  readonly bytesLoaded: number;
  readonly bytesTotal: number;
}

/** What the page says of the model. */
export interface ModelFacts {
  /** Short: "int8", "in this browser". */
  readonly facts: readonly string[];
  /** Whole sentences about what a reader should know, such as a fall back to float32. */
  readonly remarks: readonly string[];
}

export interface CharacterRange {
  readonly utf16: readonly [start: number, end: number];
}

export interface Candidate extends CharacterRange {
  readonly text: string;
  /** Probability, 0 to 1. */
  readonly score: number;
}

export interface Answer {
  /** "" where the passage holds none. */
  readonly answer: string;
  /** Probability, 0 to 1, of what is given: of the answer, or of "no answer". */
  readonly score: number;
  readonly noAnswerProbability: number;
  readonly span: CharacterRange | null;
  /** Best first. Without an answer, the first is the span that was rejected. */
  readonly candidates: readonly Candidate[];
  readonly windowCount: number;
}

/** @throws PageError for a text of more characters than are read in one go */
export function checkLength(characters: number, most: number): void {
  if (characters <= most) return;
  const [got, limit] = [characters, most].map((count) => count.toLocaleString("en-US"));
  throw new PageError(
    `The text has ${got} characters, more than the ${limit} that are read here. Ask about a part of it.`,
  );
}

/** A failure that the page tells in one line. */
export class PageError extends Error {
  override readonly name = "PageError";
  /** Set where the back end wants a token before it answers. */
  readonly wantsToken: boolean;

  constructor(message: string, wantsToken = false) {
    super(message);
    this.wantsToken = wantsToken;
  }
}
