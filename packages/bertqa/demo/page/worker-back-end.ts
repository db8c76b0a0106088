import {
  checkLength,
  PageError,
  type Answer,
  type AskedQuestion,
  type BackEnd,
  type LoadProgress,
  type ModelFacts,
} from "@bertqa/page/browser";
import { defaultLimits } from "../../src/limits.ts";
import type { FromWorker, ToWorker } from "../protocol.ts";

/** A model in a worker of this browser. */
export class WorkerBackEnd implements BackEnd {
  readonly #address: URL;
  /** Waited for before the worker starts. */
  readonly #prepare: () => Promise<void>;
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(address: URL, prepare: () => Promise<void>) {
    this.#address = address;
    this.#prepare = prepare;
  }

  async open(report: (progress: LoadProgress) => void): Promise<ModelFacts> {
    await this.#prepare();
    this.#worker?.terminate();
    const worker = new Worker(this.#address, { type: "module" });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        reject(new PageError(`The model's worker does not start: ${event.message || "its script cannot be fetched"}.`));
      });
      worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
        if (data.type === "progress") report(data);
        else if (data.type === "ready") resolve(data);
        else if (data.type === "unable") reject(new PageError(data.message));
      });
      this.#send({ type: "open" });
    });
  }

  async answer(
    input: AskedQuestion,
    signal: AbortSignal,
    report: (windowsDone: number, windowsTotal: number) => void,
  ): Promise<Answer> {
    checkLength(input.context.length, defaultLimits.maxPassageCharacters);
    const id = ++this.#lastId;
    const done = new AbortController();
    const answered = new Promise<Answer>((resolve, reject) => {
      const hear = ({ data }: MessageEvent<FromWorker>) => {
        if (!("id" in data) || data.id !== id) return;
        if (data.type === "windows") report(data.done, data.total);
        else if (data.type === "answer") resolve(data.answer);
        else reject(new PageError(data.message));
      };
      this.#worker?.addEventListener("message", hear, { signal: done.signal });
      const stop = () => {
        this.#send({ type: "stop", id });
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { signal: done.signal });
    });
    this.#send({ type: "ask", id, input });
    return answered.finally(() => done.abort());
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }
}
