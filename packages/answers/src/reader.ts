import { BertqaError, utf16OfCodePoint } from "@bertqa/squad";
import { decide, type DecidedAnswer, type Decision, type WindowLimits } from "./decision.ts";
import type { Passage } from "./reach.ts";
import { SpanSearch, type ScoredWindow } from "./search.ts";
import type { FrameIds, TokenizedText } from "./tokens.ts";
import { maxContextFlags, sliceWindows, specialTokensPerWindow } from "./windows.ts";

/** A tokenizer as {@link readPassage} and {@link windowsFor} need it. */
export interface Tokenizer extends FrameIds {
  encode(text: string): TokenizedText;
}

/** A passage with its tokens, for any number of questions on it. */
export interface ReadPassage extends Passage {
  readonly tokens: TokenizedText;
}

/** One input of the model: `[CLS] question [SEP] context part [SEP]`, L tokens, without padding. */
export interface QuestionWindow extends Omit<ScoredWindow, "startLogits" | "endLogits"> {
  /** int32 [L] */
  readonly inputIds: Int32Array;
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
  const overlapTokens = limits.windowOverlapTokens;
  if (widthTokens <= overlapTokens) {
    const problem = `the question's ${questionIds.length} tokens leave ${widthTokens} of a window for the passage, and windows overlap by ${overlapTokens}`;
    throw new BertqaError("answers", problem, { remedy: "Ask in fewer words" });
  }
  const ranges = sliceWindows({ tokenCount: tokens.ids.length, widthTokens, overlapTokens });
  const contextFirstToken = questionIds.length + 2;
  const windows = ranges.map(({ first, end }, index) => {
    const contextTokenCount = end - first;
    const inputIds = new Int32Array(contextFirstToken + contextTokenCount + 1).fill(tokenizer.sepId);
    inputIds[0] = tokenizer.clsId;
    inputIds.set(questionIds, 1);
    inputIds.set(tokens.ids.subarray(first, end), contextFirstToken);
    return {
      inputIds,
      typeIds: new Int32Array(inputIds.length).fill(1, contextFirstToken),
      contextFirstToken,
      contextTokenCount,
      contextStartCodePoints: tokens.startCodePoints.subarray(first, end),
      contextEndCodePoints: tokens.endCodePoints.subarray(first, end),
      maxContext: maxContextFlags(ranges, index),
    };
  });
  return { windows, isQuestionCut: encoded.length > questionIds.length };
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

function areFinite({ startLogits, endLogits }: WindowLogits, tokenCount: number): boolean {
  for (let token = 0; token < tokenCount; token++) {
    if (!Number.isFinite(startLogits[token]) || !Number.isFinite(endLogits[token])) return false;
  }
  return true;
}
