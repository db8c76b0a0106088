import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import type { ModelInputs } from "../batches.ts";
import type { LoadOptions } from "../load-parts.ts";
import type { Logits, ModelSession } from "../session.ts";
import { startThread } from "./thread.ts";

export type ToSession = { readonly kind: "run"; readonly inputs: ModelInputs } | { readonly kind: "stop" };

export type FromSession =
  | { readonly kind: "loaded" }
  | { readonly kind: "logits"; readonly logits: Logits }
  | { readonly kind: "failed"; readonly error: unknown };

/** A copy of the model in a thread of its own, since onnxruntime-node computes in the thread that calls it. One run at a time. */
export class SideSession implements ModelSession {
  readonly #worker: Worker;
  readonly #ended: Promise<unknown>;

  static async load(model: string, options: LoadOptions): Promise<SideSession> {
    const worker = startThread("session-worker", { model, options }, 3);
    await once(worker, "message");
    return new SideSession(worker);
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#ended = new Promise((resolve) => worker.once("exit", resolve));
    // A defect: it takes along the thread that started it.
    worker.on("error", (error: Error) => {
      throw error;
    });
  }

  async run(inputs: ModelInputs): Promise<Logits> {
    const answer = once(this.#worker, "message") as Promise<[FromSession]>;
    this.#post({ kind: "run", inputs });
    const [message] = await answer;
    if (message.kind === "logits") return message.logits;
    throw message.kind === "failed" ? message.error : new Error(`unexpected message ${message.kind}`);
  }

  async dispose(): Promise<void> {
    this.#post({ kind: "stop" });
    await this.#ended;
  }

  #post(message: ToSession): void {
    this.#worker.postMessage(message);
  }
}
