/** A reference answer: the slice of its context that starts at code point `startCodePoint`. */
export interface Answer {
  readonly text: string;
  /** Null where the context does not hold the text: it can be scored by, but is no label. Only dev files have such. */
  readonly startCodePoint: number | null;
}

/** An answer that can be a label. */
export type PlacedAnswer = Answer & { readonly startCodePoint: number };

export function isPlaced(answer: Answer): answer is PlacedAnswer {
  return answer.startCodePoint !== null;
}

/** One question of a SQuAD file with everything that belongs to it. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly context: string;
  /** Empty where the passage does not answer the question, and where `isUnlabelled`. */
  readonly answers: readonly Answer[];
  /** Of an unanswerable question: spans that look like its answer and are none. Absent where the file has none. */
  readonly plausibleAnswers?: readonly Answer[];
  /** Whether the file says nothing about answers: the question is answered, not scored. Absent for no. */
  readonly isUnlabelled?: boolean;
  /** Title of the article, or `article-<index>` where the file gives none. */
  readonly article: string;
  readonly articleIndex: number;
  readonly paragraphIndex: number;
}

/**
 * What "article" means everywhere: entries with one title are one article, as in files that list each passage as an
 * entry of its own; an entry with an empty title is an article by itself. Questions of one article share passages and
 * subject, so they are held out together, and resampled together for intervals.
 */
export function articleKey({ article, articleIndex }: Pick<Question, "article" | "articleIndex">): string {
  return article === "" ? `article-${articleIndex}` : article;
}
