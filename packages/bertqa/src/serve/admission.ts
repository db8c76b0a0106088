import { HttpProblem, type HttpService } from "@bertqa/http";
import type { QueueLimits } from "../limits.ts";
import type { QuestionInput, RunOptions } from "../question-answering.ts";
import type { RunRecord } from "./shared-session.ts";
import { Gauge, Histogram } from "prom-client";

/** Earlier work counts for so much less with each run, so that the rate follows the last few dozen. */
const memory = 0.97;

type OnProgress = NonNullable<RunOptions["onProgress"]>;

/** What a question costs: passages differ by a factor of a hundred. */
const costOf = (inputs: readonly QuestionInput[]) =>
  inputs.reduce((sum, { question, context }) => sum + question.length + context.length, 0);

/**
 * Holds the queue's bound: a request that finds it full is refused at once, with the time after which it may come again, rather
 * than kept until its client gives up. A request alone is always taken.
 */
export class Admission {
  readonly #limits: QueueLimits;
  #questions = 0;
  #characters = 0;
  #doneCharacters = 0;
  #busyMs = 0;
  readonly #windows: Histogram;
  readonly #seconds: Histogram;

  constructor(limits: QueueLimits, { metrics }: Pick<HttpService, "metrics">) {
    this.#limits = limits;
    const registers = [metrics];
    const questions = () => this.#questions;
    new Gauge({
      name: "bertqa_questions_waiting",
      help: "Questions taken that have no answer yet",
      registers,
      collect() {
        this.set(questions());
      },
    });
    this.#windows = new Histogram({
      name: "bertqa_batch_windows",
      help: "Windows that went through the model together",
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers,
    });
    this.#seconds = new Histogram({
      name: "bertqa_batch_seconds",
      help: "Time of one run of the model",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    });
  }

  /** Takes a run of the model into account; what was read in it is told to {@link run}. */
  observe({ windows, milliseconds, ownMilliseconds }: RunRecord): void {
    this.#windows.observe(windows);
    this.#seconds.observe(milliseconds / 1000);
    this.#busyMs = this.#busyMs * memory + ownMilliseconds;
    this.#doneCharacters *= memory;
  }

  /**
   * Does the work of a request, if it is taken.
   *
   * @param work tells how much of it is done, so that what is left of a long passage waits, and its rate is known, while it is read
   * @throws HttpProblem 429 if too much waits
   */
  async run<T>(inputs: readonly QuestionInput[], work: (onProgress: OnProgress) => Promise<T>): Promise<T> {
    const cost = costOf(inputs);
    const waitMs = this.#waitMs();
    const isFull = this.#questions + inputs.length > this.#limits.waitingQuestions || waitMs > this.#limits.waitMs;
    if (isFull && this.#questions > 0) {
      throw new HttpProblem(429, "queue_full", "Too many questions wait already.", {
        retryAfterSeconds: Math.min(60, Math.max(1, Math.ceil(waitMs / 2000))),
      });
    }
    this.#questions += inputs.length;
    this.#characters += cost;
    let left = cost;
    try {
      return await work((done, total) => {
        const read = left - cost * (1 - done / total);
        left -= read;
        this.#characters -= read;
        this.#doneCharacters += read;
      });
    } finally {
      this.#questions -= inputs.length;
      this.#characters -= left;
    }
  }

  /** Time that what waits will take; 0 until a rate is known. */
  #waitMs(): number {
    return this.#doneCharacters === 0 ? 0 : (this.#characters * this.#busyMs) / this.#doneCharacters;
  }
}
