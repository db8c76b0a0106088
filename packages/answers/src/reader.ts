import { BertqaError, utf16OfCodePoint } from "@bertqa/squad";
import { decide, type DecidedAnswer, type Decision, type WindowLimits } from "./decision.ts";
import type { Passage } from "./reach.ts";
import { SpanSearch, type ScoredWindow } from "./search.ts";
import type { FrameIds, TokenizedText } from "./tokens.ts";
import { maxContextFlags, sliceWindows, specialTokensPerWindow, type TokenRange } from "./windows.ts";

/** A tokenizer as {@link readPassage} and {@link windowsFor} need it. */
export interface Tokenizer extends FrameIds {
  encode(text: string): TokenizedText;
}

/** A passage with its tokens, for any number of questions on it. */
export interface ReadPassage extends Passage {
  readonly tokens: TokenizedText;
}

/** `[CLS] question [SEP] context part [SEP]`, L tokens, without padding. */
export interface FramedWindow extends Omit<ScoredWindow, "startLogits" | "endLogits"> {
  /** int32 [L] */
  readonly inputIds: Int32Array;
  /** The context part, in tokens of the whole context. */
  readonly range: TokenRange;
}

/** One input of the model. */
export interface QuestionWindow extends FramedWindow {
  /** int32 [L]; 0 up to the first [SEP], 1 after it. All L tokens are attended to. */
  readonly typeIds: Int32Array;
}

/** A question's windows, in the order of the passage: at least one, whatever the passage. */
export interface QuestionWindows {
  readonly windows: readonly QuestionWindow[];
  /** The question was longer than `maxQuestionTokens`. */
  readonly isQuestionCut: boolean;
}

/** What the model says of one window, float32 [L] each; longer arrays, with padding at their end, are fine. */
export interface WindowLogits {
  readonly startLogits: Float32Array;
  readonly endLogits: Float32Array;
}

/** Tokenizes a passage. */
export function readPassage(tokenizer: Tokenizer, text: string): ReadPassage {
  return { text, utf16: utf16OfCodePoint(text), tokens: tokenizer.encode(text) };
}

/**
 * Cuts a question and a passage into the model's inputs, as tokenize does for training.
 *
 * @throws BertqaError if the question leaves the windows no room to move
 */
export function windowsFor(
  tokenizer: Tokenizer,
  question: string,
  { tokens }: ReadPassage,
  limits: WindowLimits,
): QuestionWindows {
  const encoded = tokenizer.encode(question.trimStart()).ids;
  const questionIds = encoded.subarray(0, limits.maxQuestionTokens);
  const widthTokens = limits.maxTokens - questionIds.length - specialTokensPerWindow;
  if (widthTokens <= limits.windowOverlapTokens) {
    const problem = `the question's ${questionIds.length} tokens leave ${widthTokens} of a window for the passage, and windows overlap by ${limits.windowOverlapTokens}`;
    throw new BertqaError("answers", problem, { remedy: "Ask in fewer words" });
  }
  const windows = frameWindows(questionIds, tokens, limits, tokenizer).map((window) => ({
    ...window,
    typeIds: new Int32Array(window.inputIds.length).fill(1, window.contextFirstToken),
  }));
  return { windows, isQuestionCut: encoded.length > questionIds.length };
}

/**
 * Puts a question's windows together from its tokens and those of its context.
 *
 * @param questionIds int32 [question tokens], without special tokens, already cut
 * @throws RangeError if the question leaves no more room than the overlap
 */
export function frameWindows(
  questionIds: Int32Array,
  context: TokenizedText,
  limits: Pick<WindowLimits, "maxTokens" | "windowOverlapTokens">,
  { clsId, sepId }: FrameIds,
): FramedWindow[] {
  const ranges = sliceWindows({
    tokenCount: context.ids.length,
    widthTokens: limits.maxTokens - questionIds.length - specialTokensPerWindow,
    overlapTokens: limits.windowOverlapTokens,
  });
  const contextFirstToken = questionIds.length + 2;
  return ranges.map((range, index) => {
    const { first, end } = range;
    const inputIds = new Int32Array(contextFirstToken + end - first + 1).fill(sepId);
    inputIds[0] = clsId;
    inputIds.set(questionIds, 1);
    inputIds.set(context.ids.subarray(first, end), contextFirstToken);
    return {
      inputIds,
      range,
      contextFirstToken,
      contextTokenCount: end - first,
      contextStartCodePoints: context.startCodePoints.subarray(first, end),
      contextEndCodePoints: context.endCodePoints.subarray(first, end),
      maxContext: maxContextFlags(ranges, index),
    };
  });
}

/**
 * The answer to a question from the logits of its windows.
 *
 * @param logits one a window, in their order
 * @throws BertqaError if a logit is not a finite number, or a window has none
 */
export function answerOf(
  { windows }: QuestionWindows,
  logits: readonly WindowLogits[],
  passage: Passage,
  decision: Decision,
): DecidedAnswer {
  const search = new SpanSearch(decision);
  windows.forEach((window, i) => {
    const scores = logits[i];
    if (!scores || !areFinite(scores, window.inputIds.length)) {
      throw new BertqaError("answers", `the model's logits of window ${i} are missing or not finite numbers`, {
        remedy: "Check the model's file",
      });
    }
    search.add({ ...window, ...scores });
  });
  return decide(search, passage, decision);
}

/** Whether the logits of a window's tokens are there, and numbers. */
export function areFinite({ startLogits, endLogits }: WindowLogits, tokenCount: number): boolean {
  for (let token = 0; token < tokenCount; token++) {
    if (!Number.isFinite(startLogits[token]) || !Number.isFinite(endLogits[token])) return false;
  }
  return true;
}
