import { answerSpan, labelSpan, maxContextFlags, sliceWindows, specialTokensPerWindow } from "@bertqa/answers";
import { isPlaced, type Question, type WindowColumns } from "@bertqa/core";
import { unmatchedAnswers, type UnmatchedAnswer } from "./answers.ts";
import { noCounts, type SplitCounts } from "./counts.ts";
import type { TokenizeOptions } from "./options.ts";
import { encodeParagraphs, paragraphsOf, type EncodedParagraph } from "./paragraphs.ts";
import type { QuestionTokens } from "./questions.ts";
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
  { options, questionTokens }: SplitTask,
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
