import { BertqaError } from "@bertqa/squad";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import type { QuestionAnswer, QuestionInput, RunOptions } from "../question-answering.ts";
import type { EngineData, EngineOptions, FromWorker, LoadedModel, ToWorker } from "./engine-messages.ts";
import type { RunRecord } from "./shared-session.ts";
import { startThread } from "./thread.ts";

/** The questions of a request cannot be answered as they are; the message is for the client. */
export class InputError extends Error {}

interface Pending extends Pick<RunOptions, "onProgress"> {
  readonly resolve: (answers: readonly QuestionAnswer[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** A loaded model in a thread of its own. `stop` when done. */
export class AnswerEngine {
  readonly model: LoadedModel;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #onRun: (record: RunRecord) => void = () => {};
  #failure: Error | undefined;

  /**
   * Loads the model, and runs it once.
   *
   * @param onCrash called when the thread dies of a defect, after every pending answer was rejected
   * @throws BertqaError as `loadQuestionAnswering` does
   */
  static async load(folder: string, options: EngineOptions, onCrash: (error: unknown) => void): Promise<AnswerEngine> {
    const worker = startThread("engine-worker", { model: folder, options } satisfies EngineData, 24);
    const [first] = (await once(worker, "message")) as [FromWorker];
    if (first.kind === "loaded") return new AnswerEngine(worker, first.model, onCrash);
    await worker.terminate(); // copies of the model would keep it
    const problem = first.kind === "refused" ? first.message : "the model's thread did not start";
    throw new RefusedModel(problem);
  }

  private constructor(worker: Worker, model: LoadedModel, onCrash: (error: unknown) => void) {
    this.model = model;
    this.#worker = worker;
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error: Error) => {
      this.#failure = error;
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
      onCrash(error);
    });
    this.#ended = new Promise((resolve) => worker.once("exit", () => resolve()));
  }

  /** Tells of each batch that went through the model. */
  set onRun(listener: (record: RunRecord) => void) {
    this.#onRun = listener;
  }

  /**
   * @param options its signal drops what has not been computed; the call then rejects with the signal's reason
   * @throws InputError if the input is at fault
   */
  async answer(
    inputs: readonly QuestionInput[],
    { signal, onProgress }: RunOptions & { readonly signal: AbortSignal },
  ): Promise<readonly QuestionAnswer[]> {
    signal.throwIfAborted();
    if (this.#failure) throw this.#failure;
    const id = (this.#nextId += 1);
    const cancel = () => this.#post({ kind: "cancel", id });
    signal.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onProgress });
        this.#post({ kind: "ask", id, inputs });
      });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  async stop(): Promise<void> {
    this.#post({ kind: "stop" });
    await this.#ended;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message.kind === "run") return this.#onRun(message.record);
    if (message.kind === "loaded" || message.kind === "refused") return;
    const pending = this.#pending.get(message.id);
    if (message.kind === "progress") return pending?.onProgress?.(message.windowsDone, message.windowsTotal);
    this.#pending.delete(message.id);
    if (message.kind === "answers") pending?.resolve(message.answers);
    else pending?.reject(message.message === undefined ? message.error : new InputError(message.message));
  }
}

/** A BertqaError that came from the thread, with its message as it was. */
class RefusedModel extends BertqaError {
  constructor(message: string) {
    super("bertqa", "");
    this.message = message;
  }
}
