import { specialTokensPerWindow, type TokenizedText } from "@bertqa/answers";
import { BertqaError, type Question } from "@bertqa/core";
import type { TokenizeOptions } from "./options.ts";
import type { BertTokenizer } from "./tokenizer.ts";

/** The questions of a split as tokens, in their order. */
export interface QuestionTokens {
  /** int32 [question tokens, at most `maxQuestionTokens`] each */
  readonly tokens: readonly Int32Array[];
  readonly cappedQuestions: number;
}

const questionsPerBatch = 4096;

/** Encodes questions without their leading white space, as run_qa does, and cuts long ones. */
export async function encodeQuestions(
  tokenizer: BertTokenizer,
  questions: readonly Question[],
  maxQuestionTokens: number,
): Promise<QuestionTokens> {
  const tokens: Int32Array[] = [];
  let cappedQuestions = 0;
  for (let first = 0; first < questions.length; first += questionsPerBatch) {
    const batch = questions.slice(first, first + questionsPerBatch);
    for (const ids of await tokenizer.encodeIds(batch.map(({ question }) => question.trimStart()))) {
      if (ids.length > maxQuestionTokens) cappedQuestions++;
      tokens.push(ids.length > maxQuestionTokens ? ids.slice(0, maxQuestionTokens) : ids);
    }
  }
  return { tokens, cappedQuestions };
}

/**
 * Checks that every window can move on: what the longest question leaves for context must exceed the overlap.
 *
 * @param where the options' file, for the message
 * @throws BertqaError naming the longest question, with the numbers
 */
export function requireRoom(
  questions: readonly Question[],
  { tokens }: QuestionTokens,
  options: Pick<TokenizeOptions, "maxTokens" | "windowOverlapTokens">,
  where: string,
): void {
  const longest = tokens.reduce((best, ids, i) => (ids.length > (tokens[best]?.length ?? -1) ? i : best), 0);
  const question = questions[longest];
  const questionTokens = tokens[longest]?.length;
  if (!question || questionTokens === undefined) return;
  const { maxTokens, windowOverlapTokens } = options;
  const room = maxTokens - questionTokens - specialTokensPerWindow;
  if (room > windowOverlapTokens) return;
  const sum = `window ${maxTokens} − ${questionTokens} question − ${specialTokensPerWindow} special = ${room} context tokens`;
  throw new BertqaError(
    "tokenize",
    `question "${question.id}" leaves no room to move: ${sum}, but windowOverlapTokens is ${windowOverlapTokens}`,
    {
      remedy: room > 0 ? `Set windowOverlapTokens below ${room}` : "Set maxTokens higher, or maxQuestionTokens lower",
      where,
    },
  );
}

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
    // Its error is thrown when its turn comes, or not at all where the reader stops before; Node would end the process.
    ahead.catch(() => {});
    yield* batch;
  }
}
