import type { QuestionAnswer, QuestionInput } from "../src/question-answering.ts";

/** From the page to the worker that holds the model. `id` numbers the questions. */
export type ToWorker =
  | { readonly type: "open" }
  | { readonly type: "ask"; readonly id: number; readonly input: QuestionInput }
  | { readonly type: "stop"; readonly id: number };

/** From the worker to the page. */
export type FromWorker =
  | { readonly type: "progress"; readonly bytesLoaded: number; readonly bytesTotal: number }
  | { readonly type: "ready"; readonly facts: readonly string[]; readonly remarks: readonly string[] }
  | { readonly type: "unable"; readonly message: string }
  | { readonly type: "windows"; readonly id: number; readonly done: number; readonly total: number }
  | { readonly type: "answer"; readonly id: number; readonly answer: QuestionAnswer }
  | { readonly type: "failed"; readonly id: number; readonly message: string };

/** From the page to the service worker; it answers on the port that comes with the message. */
export type ToServiceWorker =
  /** Takes over pages that it does not control yet. Answers `true`. */
  | "claim"
  /** Waits for files that are being kept. Answers whether all that the page needs without a network is there. */
  | "settle"
  /** Takes the place of the version before it. */
  | "activate";
