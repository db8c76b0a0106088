import { characterSpan, labelSpan, type TokenizedText } from "@bertqa/answers";
import { isPlaced, utf16OfCodePoint, type PlacedAnswer, type Question } from "@bertqa/core";

/** A reference answer that its tokens do not give back. */
export interface UnmatchedAnswer {
  readonly questionId: string;
  readonly answer: string;
  /** The slice of the context that its tokens cover; null where the context's tokens do not reach it. */
  readonly tokenText: string | null;
}

/**
 * Slices the context by the tokens of each answer and compares: the check on offsets. Answers that begin or end inside a
 * word piece are found too; they can be learned only with some letters too many.
 */
export function unmatchedAnswers(
  questions: readonly Question[],
  contextText: string,
  context: TokenizedText,
): UnmatchedAnswer[] {
  const utf16 = utf16OfCodePoint(contextText);
  const slice = (start: number, end: number) =>
    utf16 ? contextText.slice(utf16[start], utf16[end]) : contextText.slice(start, end);
  const tokenTextOf = (answer: PlacedAnswer) => {
    const span = labelSpan(context, wholeOf(context), characterSpan(answer));
    if (!span) return null;
    return slice(context.startCodePoints[span.first] as number, context.endCodePoints[span.last] as number);
  };
  return questions.flatMap(({ id, answers }) =>
    answers
      .filter(isPlaced)
      .map((answer) => ({ questionId: id, answer: answer.text, tokenText: tokenTextOf(answer) }))
      .filter(({ answer, tokenText }) => answer !== tokenText),
  );
}

function wholeOf(context: TokenizedText) {
  return { first: 0, end: context.ids.length };
}
