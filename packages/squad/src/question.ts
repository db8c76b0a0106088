/** A reference answer: the slice of its context that starts at code point `startCodePoint`. */
export interface Answer {
  readonly text: string;
  readonly startCodePoint: number;
}

/** One question of a SQuAD file with everything that belongs to it. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly context: string;
  /** Empty where the passage does not answer the question. */
  readonly answers: readonly Answer[];
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
