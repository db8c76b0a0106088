import {
  answerOf,
  readPassage,
  windowsFor,
  type DecidedAnswer,
  type Decision,
  type QuestionWindows,
  type ReadPassage,
  type WindowLogits,
  type WordPieceTokenizer,
} from "@bertqa/answers";
import { BertqaError, quote } from "@bertqa/squad";
import { collate, planBatches } from "./batches.ts";
import type { Limits } from "./limits.ts";
import type { ModelSession } from "./session.ts";

export type Precision = "int8" | "float32";
/** The package that runs the model. */
export type Runtime = "onnxruntime-node" | "onnxruntime-web";

export interface QuestionInput {
  readonly question: string;
  /** The passage, of any length up to {@link Limits.maxPassageCharacters}. */
  readonly context: string;
  /** Number of candidates to return; default 1. At most `nBest` of decision.json are kept. */
  readonly topK?: number;
}

/** Character range in the passage, end exclusive. JavaScript slices by UTF-16, Python and SQuAD count code points. */
export interface CharacterRange {
  readonly codePoints: readonly [start: number, end: number];
  readonly utf16: readonly [start: number, end: number];
}

export interface Candidate extends CharacterRange {
  readonly text: string;
  /** Probability, 0 to 1, that this is the answer. */
  readonly score: number;
}

export interface QuestionAnswer {
  /** The answer as it stands in the passage; "" where the model says that there is none. */
  readonly answer: string;
  /** Probability, 0 to 1, of what is given: of the answer, or of "no answer". */
  readonly score: number;
  /** Probability, 0 to 1, that the passage holds no answer. The tuned threshold decides, so it may be above 0.5 beside an answer. */
  readonly noAnswerProbability: number;
  /** Score of no answer minus the best answer's, in logits: what the threshold is held against. */
  readonly nullOdds: number;
  /** Where the answer stands; null for no answer. */
  readonly span: CharacterRange | null;
  /** The best `topK` spans, best first, whatever is given. */
  readonly candidates: readonly Candidate[];
  /** Windows that the passage was cut into. */
  readonly windowCount: number;
}

export interface RunOptions {
  /** Stops between batches; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((windowsDone: number, windowsTotal: number) => void) | undefined;
}

/** What {@link QuestionAnswering} is put together from. */
export interface Parts {
  readonly tokenizer: WordPieceTokenizer;
  readonly decision: Decision;
  readonly session: ModelSession;
  readonly limits: Limits;
  readonly runtime: Runtime;
  readonly precision: Precision;
}

interface Prepared extends QuestionWindows {
  readonly input: QuestionInput;
  readonly passage: ReadPassage;
}

/** A loaded model that answers questions about passages. `dispose` when done. */
export class QuestionAnswering {
  readonly #parts: Parts;
  #disposed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The rules that turn logits into answers, as the export holds them. */
  get decision(): Decision {
    return this.#parts.decision;
  }

  get runtime(): Runtime {
    return this.#parts.runtime;
  }

  get precision(): Precision {
    return this.#parts.precision;
  }

  /**
   * Answers a question from a passage.
   *
   * @throws BertqaError if question or passage is no text, the question is empty or leaves no room, the passage is too long, `topK` is
   *   no number of candidates, or the model was disposed of, before or meanwhile; the signal's reason if aborted
   */
  async answer(input: QuestionInput & RunOptions): Promise<QuestionAnswer> {
    return (await this.answerAll([input], input))[0]!;
  }

  /**
   * Answers many questions: as {@link answer} would answer each. With larger {@link Limits.batchTokens} and int8 they can
   * differ, since activations are quantized over a whole batch.
   *
   * @returns the answers, in the order of the inputs
   * @throws as {@link answer} does, naming the question
   */
  async answerAll(inputs: readonly QuestionInput[], options: RunOptions = {}): Promise<QuestionAnswer[]> {
    const { decision } = this.#parts;
    const prepared = this.#prepare(inputs);
    const logits = await this.#run(prepared, options);
    let first = 0;
    return prepared.map(({ input, passage, ...question }) => {
      const ofQuestion = logits.slice(first, (first += question.windows.length));
      return toAnswer(answerOf(question, ofQuestion, passage, decision), input, question.windows.length);
    });
  }

  /** Frees the model; called again, it does nothing more. */
  async dispose(): Promise<void> {
    await (this.#disposed ??= this.#parts.session.dispose());
  }

  #prepare(inputs: readonly QuestionInput[]): Prepared[] {
    const { tokenizer, decision } = this.#parts;
    let passage: ReadPassage | undefined;
    return inputs.map((input, i) => {
      this.#check(input, inputs.length > 1 ? `question ${i + 1} of ${inputs.length}` : "the question");
      // Questions on one passage follow each other: it is tokenized once.
      if (passage?.text !== input.context) passage = readPassage(tokenizer, input.context);
      return { input, passage, ...windowsFor(tokenizer, input.question, passage, decision.window) };
    });
  }

  /** @returns the logits of all windows, in their order */
  async #run(prepared: readonly Prepared[], { signal, onProgress }: RunOptions): Promise<WindowLogits[]> {
    const { limits, session } = this.#parts;
    const windows = prepared.flatMap((question) => question.windows);
    const logits = new Array<WindowLogits>(windows.length);
    const lengths = windows.map(({ inputIds }) => inputIds.length);
    let done = 0;
    for (const batch of planBatches(lengths, limits.batchTokens)) {
      if (signal) await turnOfTheEventLoop();
      signal?.throwIfAborted();
      if (this.#disposed) throw new BertqaError("ask", "the model was disposed of", { remedy: "Load it again" });
      const { startLogits, endLogits } = await session.run(collate(windows, batch));
      batch.rows.forEach((row, i) => {
        const [start, end] = [i * batch.tokenCount, (i + 1) * batch.tokenCount];
        logits[row] = { startLogits: startLogits.subarray(start, end), endLogits: endLogits.subarray(start, end) };
      });
      done += batch.rows.length;
      onProgress?.(done, windows.length);
    }
    signal?.throwIfAborted();
    return logits;
  }

  #check({ question, context, topK = 1 }: QuestionInput, name: string): void {
    const { maxPassageCharacters } = this.#parts.limits;
    // What JSON.parse gives is of type any.
    const isText = (value: unknown) => typeof value === "string";
    if (!isText(question)) throw new BertqaError("ask", `${name} is no text`);
    if (!isText(context)) throw new BertqaError("ask", `the passage of ${name} is no text`);
    if (question.trim() === "") throw new BertqaError("ask", `${name} is empty`);
    if (!(topK >= 0)) throw new BertqaError("ask", `topK of ${name} is ${topK}, expected a number of candidates`);
    if (context.length <= maxPassageCharacters) return;
    const got = `the passage has ${context.length.toLocaleString("en-US")} characters`;
    throw new BertqaError("ask", `${got}, more than ${maxPassageCharacters.toLocaleString("en-US")}`, {
      remedy: "Cut it into documents and search them, or raise maxPassageCharacters",
      where: `the question ${quote(question)}`,
    });
  }
}

/** WebAssembly computes within the call: without this, nothing that would abort the signal ran before the last batch was done. */
function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve));
}

function toAnswer(decided: DecidedAnswer, { topK = 1 }: QuestionInput, windowCount: number): QuestionAnswer {
  const { answer, probability, noAnswerProbability, nullOdds, span } = decided;
  const candidates = decided.candidates
    .slice(0, topK)
    .map(({ text, probability: score, codePoints, utf16 }) => ({ text, score, codePoints, utf16 }));
  const range = span && { codePoints: span.codePoints, utf16: span.utf16 };
  return { answer, score: probability, noAnswerProbability, nullOdds, span: range, candidates, windowCount };
}
