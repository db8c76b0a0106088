import { answerSpan, frameWindows, labelSpan, reachOf, sliceOf, type TokenizedText } from "@bertqa/answers";
import {
  isPlaced,
  utf16OfCodePoint,
  type Answer,
  type PlacedAnswer,
  type Question,
  type WindowColumns,
} from "@bertqa/core";
import { noCounts, type SplitCounts } from "./counts.ts";
import type { TokenizeOptions } from "./options.ts";
import { encodeParagraphs, paragraphsOf, type QuestionTokens } from "./encode.ts";
import { shardOf, type LabelledWindow } from "./shard.ts";
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
    unanswerable: questions.filter(({ answers, isUnlabelled }) => answers.length === 0 && !isUnlabelled).length,
    cappedQuestions: questionTokens.cappedQuestions,
    answers: questions.reduce((sum, { answers }) => sum + answers.length, 0),
  };
  return { counts, unmatched: [] };
}

/** Windows of a split, shard by shard, in the order of the questions: one shard is in memory at a time. */
export async function* windowShards(task: SplitTask, tally: SplitTally): AsyncGenerator<WindowColumns> {
  let rows: LabelledWindow[] = [];
  for await (const paragraph of encodeParagraphs(task.tokenizer, paragraphsOf(task.questions))) {
    tally.unmatched.push(...unmatchedAnswers(paragraph.questions, paragraph.context, paragraph.tokens));
    for (const [i, question] of paragraph.questions.entries()) {
      const questionIds = task.questionTokens.tokens[paragraph.firstQuestion + i] as Int32Array;
      const windows = labelledWindows(question, questionIds, paragraph.tokens, task);
      countWindows(tally.counts, question, windows, task.tokenizer.unknownId);
      for (const window of windows) {
        rows.push(window);
        if (rows.length < task.options.windowsPerShard) continue;
        yield shardOf(rows);
        rows = [];
      }
    }
    task.onProgress(paragraph.firstQuestion + paragraph.questions.length);
  }
  tally.counts.unmatchedAnswers = tally.unmatched.length;
  if (rows.length > 0) yield shardOf(rows);
}

/** The first answer that stands in the passage is the one that is learned; in run_qa, the first of all. */
function labelledWindows(
  question: Question,
  questionIds: Int32Array,
  context: TokenizedText,
  { options, tokenizer }: SplitTask,
): LabelledWindow[] {
  const spanOf = (answers: readonly Answer[] = []) => {
    const placed = answers.find(isPlaced);
    return placed && answerSpan(context, placed);
  };
  const [answer, plausible] = [spanOf(question.answers), spanOf(question.plausibleAnswers)];
  return frameWindows(questionIds, context, options, tokenizer).map((window, windowIndex) => ({
    ...window,
    questionId: question.id,
    windowIndex,
    label: answer && labelSpan(context, window.range, answer),
    plausible: plausible && labelSpan(context, window.range, plausible),
  }));
}

function countWindows(
  counts: SplitCounts,
  question: Question,
  windows: readonly LabelledWindow[],
  unknownId: number,
): void {
  const withAnswer = windows.filter(({ label }) => label).length;
  counts.plausibleAnswers += windows.some(({ plausible }) => plausible) ? 1 : 0;
  counts.windows += windows.length;
  counts.windowsWithoutAnswer += windows.length - withAnswer;
  if (windows.length > 1) counts.questionsWithManyWindows++;
  if (question.answers.some(isPlaced) && withAnswer === 0) counts.answersInNoWindow++;
  if (windows[0]?.contextTokenCount === 0) counts.emptyContexts++;
  for (const { inputIds } of windows) {
    counts.tokens += inputIds.length;
    counts.longestWindow = Math.max(counts.longestWindow, inputIds.length);
    for (const id of inputIds) if (id === unknownId) counts.unknownTokens++;
  }
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
