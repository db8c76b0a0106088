import { answerSpan, labelSpan, reachOf, sliceOf, type TokenizedText } from "@bertqa/answers";
import { isPlaced, utf16OfCodePoint, type PlacedAnswer, type Question } from "@bertqa/core";

/** A reference answer that its tokens do not give back. */
export interface UnmatchedAnswer {
  readonly questionId: string;
  readonly answer: string;
  /** The slice of the context that its tokens cover; null where the context's tokens do not reach it. */
  readonly tokenText: string | null;
}

/**
 * Slices the context by the tokens of each answer and compares: the check on offsets. White space at an answer's edges does
 * not count. Answers that begin or end inside a word piece are found too; they can be learned only with some letters too
 * many.
 */
export function unmatchedAnswers(
  questions: readonly Question[],
  contextText: string,
  context: TokenizedText,
): UnmatchedAnswer[] {
  const passage = { text: contextText, utf16: utf16OfCodePoint(contextText) };
  const textsOf = (answer: PlacedAnswer) => {
    const span = answerSpan(context, answer);
    const tokens = span && labelSpan(context, { first: 0, end: context.ids.length }, span);
    if (!tokens) return [];
    const start = context.startCodePoints[tokens.first] as number;
    const end = context.endCodePoints[tokens.last] as number;
    return reachOf(passage, { start, end }).map((reach) => sliceOf(passage, reach));
  };
  return questions.flatMap(({ id, answers }) =>
    answers.filter(isPlaced).flatMap((answer) => {
      const texts = textsOf(answer);
      if (texts.includes(answer.text.trim())) return [];
      return [{ questionId: id, answer: answer.text, tokenText: texts[0] ?? null }];
    }),
  );
}
