// How much is taken at once, and its defaults: the help of the commands prints these, too.
import { BertqaError } from "@bertqa/squad";

/** Of a loaded model. */
export interface Limits {
  /**
   * Windows of similar length run together, up to so many tokens with their padding. Default 1: each by itself, so that an
   * answer never depends on what is asked beside it, and faster on few cores.
   */
  readonly batchTokens: number;
  /** A longer passage is refused, in UTF-16 units. */
  readonly maxPassageCharacters: number;
}

export const defaultLimits: Limits = { batchTokens: 1, maxPassageCharacters: 2_000_000 };

/**
 * The limits given, and the defaults of those that are not.
 *
 * @throws BertqaError for one that is no number above 0
 */
export function limitsOf(given: Partial<Limits>): Limits {
  const { batchTokens = defaultLimits.batchTokens, maxPassageCharacters = defaultLimits.maxPassageCharacters } = given;
  for (const [name, value] of Object.entries({ batchTokens, maxPassageCharacters })) {
    if (!(value > 0)) throw new BertqaError("bertqa", `${name} is ${value}, expected a number above 0`);
  }
  return { batchTokens, maxPassageCharacters };
}

/** What a request to `bertqa serve` may hold. Characters are code points. */
export interface ApiLimits {
  readonly questions: number;
  readonly questionCharacters: number;
  readonly passageCharacters: number;
  /** Of all passages of a request together. */
  readonly requestCharacters: number;
}

export const defaultApiLimits: ApiLimits = {
  questions: 64,
  questionCharacters: 1000,
  passageCharacters: 100_000,
  requestCharacters: 200_000,
};

/** Of a request: a character is twelve bytes of JSON at most, as two escapes; an id has 200. */
export function bodyBytesFor({ questions, questionCharacters, requestCharacters }: ApiLimits): number {
  return 12 * (requestCharacters + questions * (questionCharacters + 300));
}

/** How much may wait in `bertqa serve`. */
export interface QueueLimits {
  /** Questions that were taken and have no answer yet. */
  readonly waitingQuestions: number;
  /** A request that would wait longer, as far as the last rate tells, is refused. */
  readonly waitMs: number;
}

export const defaultQueueLimits: QueueLimits = { waitingQuestions: 256, waitMs: 20_000 };

/** Of a file, or of standard input, that is read whole. */
export const inputBytes = 256 * 1024 ** 2;

/** Of a folder's documents together: their index takes several times as much memory. */
export const documentBytes = 64 * 1024 ** 2;
