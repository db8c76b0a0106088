import type { TokenizedText } from "@bertqa/answers";
import type { Question } from "@bertqa/core";
import type { BertTokenizer } from "./tokenizer.ts";

/** Neighbouring questions on one passage: its text is encoded once for all of them. */
export interface Paragraph {
  readonly context: string;
  readonly questions: readonly Question[];
  /** Place of the first of them in the split. */
  readonly firstQuestion: number;
}

export interface EncodedParagraph extends Paragraph {
  readonly tokens: TokenizedText;
}

/** Groups questions by passage; order is kept. */
export function paragraphsOf(questions: readonly Question[]): Paragraph[] {
  const paragraphs: { context: string; questions: Question[]; firstQuestion: number }[] = [];
  questions.forEach((question, index) => {
    const last = paragraphs.at(-1);
    if (last?.context === question.context) last.questions.push(question);
    else paragraphs.push({ context: question.context, questions: [question], firstQuestion: index });
  });
  return paragraphs;
}

const paragraphsPerBatch = 256;

/**
 * Encodes paragraphs in batches, one batch ahead of the reader: the Rust library's threads work on the next while this
 * thread cuts windows. Two batches are in memory at most.
 */
export async function* encodeParagraphs(
  tokenizer: BertTokenizer,
  paragraphs: readonly Paragraph[],
): AsyncGenerator<EncodedParagraph> {
  const encodeFrom = async (first: number) => {
    const batch = paragraphs.slice(first, first + paragraphsPerBatch);
    const encoded = batch.length === 0 ? [] : await tokenizer.encode(batch.map(({ context }) => context));
    return batch.map((paragraph, i) => ({ ...paragraph, tokens: encoded[i] as TokenizedText }));
  };
  let ahead = encodeFrom(0);
  for (let first = 0; first < paragraphs.length; first += paragraphsPerBatch) {
    const batch = await ahead;
    ahead = encodeFrom(first + paragraphsPerBatch);
    yield* batch;
  }
}
