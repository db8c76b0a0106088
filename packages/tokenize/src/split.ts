import {
  answerSpan,
  labelSpan,
  maxContextFlags,
  reachOf,
  sliceOf,
  sliceWindows,
  specialTokensPerWindow,
  type TokenizedText,
} from "@bertqa/answers";
import { isPlaced, utf16OfCodePoint, type PlacedAnswer, type Question, type WindowColumns } from "@bertqa/core";
import { noCounts, type SplitCounts } from "./counts.ts";
import type { TokenizeOptions } from "./options.ts";
import { encodeParagraphs, paragraphsOf, type EncodedParagraph } from "./encode.ts";
import type { QuestionTokens } from "./encode.ts";
import { ShardBuilder } from "./shard-builder.ts";
import type { BertTokenizer } from "./tokenizer.ts";

/** What a split is made of, and where its counts gather. */
export interface SplitTask {
  readonly tokenizer: BertTokenizer;
  readonly questions: readonly Question[];
  readonly questionTokens: QuestionTokens;
  readonly options: Pick<TokenizeOptions, "maxTokens" | "windowOverlapTokens" | "windowsPerShard">;
  readonly onProgress: (questionsDone: number) => void;
}

/** Filled while {@link windowShards} runs; whole when it ends. */
export interface SplitTally {
  readonly counts: SplitCounts;
  readonly unmatched: UnmatchedAnswer[];
}

/** A tally for the start of a split. */
export function startTally(task: Pick<SplitTask, "questions" | "questionTokens">): SplitTally {
  const { questions, questionTokens } = task;
  const counts = {
    ...noCounts(),
    questions: questions.length,
    unanswerable: questions.filter(({ answers }) => answers.length === 0).length,
    cappedQuestions: questionTokens.cappedQuestions,
    answers: questions.reduce((sum, { answers }) => sum + answers.length, 0),
  };
  return { counts, unmatched: [] };
}

/** Windows of a split, shard by shard, in the order of the questions: one shard is in memory at a time. */
export async function* windowShards(task: SplitTask, tally: SplitTally): AsyncGenerator<WindowColumns> {
  const builder = new ShardBuilder(task.tokenizer);
  for await (const paragraph of encodeParagraphs(task.tokenizer, paragraphsOf(task.questions))) {
    tally.unmatched.push(...unmatchedAnswers(paragraph.questions, paragraph.context, paragraph.tokens));
    for (let i = 0; i < paragraph.questions.length; i++) {
      for (const columns of appendQuestion(task, tally.counts, builder, paragraph, i)) yield columns;
    }
    task.onProgress(paragraph.firstQuestion + paragraph.questions.length);
  }
  tally.counts.unmatchedAnswers = tally.unmatched.length;
  if (builder.rowCount > 0) yield builder.take();
}

/** Appends a question's windows, and hands over each shard that is full. */
function* appendQuestion(
  { tokenizer, options, questionTokens }: SplitTask,
  counts: SplitCounts,
  builder: ShardBuilder,
  { questions, firstQuestion, tokens: context }: EncodedParagraph,
  index: number,
): Generator<WindowColumns> {
  const question = questions[index] as Question;
  const ids = questionTokens.tokens[firstQuestion + index] as Int32Array;
  const ranges = sliceWindows({
    tokenCount: context.ids.length,
    widthTokens: options.maxTokens - ids.length - specialTokensPerWindow,
    overlapTokens: options.windowOverlapTokens,
  });
  // The first answer that stands in the passage is the one that is learned; in run_qa, the first of all.
  const learned = question.answers.find(isPlaced);
  const answer = learned && answerSpan(context, learned);
  let windowsWithAnswer = 0;
  for (const [windowIndex, range] of ranges.entries()) {
    const label = answer && labelSpan(context, range, answer);
    if (label) windowsWithAnswer++;
    const maxContext = maxContextFlags(ranges, windowIndex);
    const parts = { questionId: question.id, windowIndex, questionTokens: ids, context, range, maxContext, label };
    builder.append(parts);
    countWindow(counts, ids.length + specialTokensPerWindow + range.end - range.first);
    counts.unknownTokens += countId(tokenizer.unknownId, ids) + countId(tokenizer.unknownId, context.ids, range);
    if (builder.rowCount === options.windowsPerShard) yield builder.take();
  }
  counts.windowsWithoutAnswer += ranges.length - windowsWithAnswer;
  if (ranges.length > 1) counts.questionsWithManyWindows++;
  if (question.answers.some(isPlaced) && windowsWithAnswer === 0) counts.answersInNoWindow++;
  if (context.ids.length === 0) counts.emptyContexts++;
}

function countWindow(counts: SplitCounts, tokenCount: number): void {
  counts.windows++;
  counts.tokens += tokenCount;
  counts.longestWindow = Math.max(counts.longestWindow, tokenCount);
}

function countId(id: number, ids: Int32Array, { first, end } = { first: 0, end: ids.length }): number {
  let count = 0;
  for (let token = first; token < end; token++) if (ids[token] === id) count++;
  return count;
}

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
function unmatchedAnswers(
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
