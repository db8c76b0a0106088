/** What tokenizing one split came to. */
export interface SplitCounts {
  questions: number;
  unanswerable: number;
  windows: number;
  /** Windows labelled no-answer, those of unanswerable questions included. */
  windowsWithoutAnswer: number;
  questionsWithManyWindows: number;
  /** Questions cut to `maxQuestionTokens`. */
  cappedQuestions: number;
  /** Reference answers, all of them. */
  answers: number;
  /** Reference answers that do not begin and end where tokens do. */
  unmatchedAnswers: number;
  /** Questions whose first answer, the one that is learned, no window holds whole. */
  answersInNoWindow: number;
  /** Questions whose passage has no token, only spaces or control characters. */
  emptyContexts: number;
  /** Real tokens, special ones included; windows are not padded. */
  tokens: number;
  longestWindow: number;
}

export function noCounts(): SplitCounts {
  return {
    questions: 0,
    unanswerable: 0,
    windows: 0,
    windowsWithoutAnswer: 0,
    questionsWithManyWindows: 0,
    cappedQuestions: 0,
    answers: 0,
    unmatchedAnswers: 0,
    answersInNoWindow: 0,
    emptyContexts: 0,
    tokens: 0,
    longestWindow: 0,
  };
}

/** All splits taken together. */
export function totalOf(splits: readonly SplitCounts[]): SplitCounts {
  const total = noCounts();
  for (const split of splits) {
    for (const name of Object.keys(total) as (keyof SplitCounts)[]) {
      total[name] = name === "longestWindow" ? Math.max(total[name], split[name]) : total[name] + split[name];
    }
  }
  return total;
}

/** Counts for the manifest: `train.windows`, `dev.tokens` … */
export function manifestCounts(splits: Readonly<Record<string, SplitCounts>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(splits).flatMap(([split, counts]) =>
      Object.entries(counts).map(([name, count]) => [`${split}.${name}`, count as number]),
    ),
  );
}
