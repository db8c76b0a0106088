import type { Decision } from "../public.ts";
import type { LoadOptions } from "../node.ts";
import type { Precision, QuestionAnswer, QuestionInput, Runtime } from "../question-answering.ts";
import type { RunRecord } from "./shared-session.ts";

export interface EngineOptions extends LoadOptions {
  /** Copies of the model beside the one that has all cores, for windows that wait at the same time; default none. */
  readonly copies?: { readonly count: number; readonly threads: number };
}

/** What the worker is started with. */
export interface EngineData {
  readonly model: string;
  readonly options: EngineOptions;
}

/** The model, as far as clients are told. */
export interface LoadedModel {
  readonly precision: Precision;
  readonly runtime: Runtime;
  readonly decision: Decision;
}

export type ToWorker =
  | { readonly kind: "ask"; readonly id: number; readonly inputs: readonly QuestionInput[] }
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "loaded"; readonly model: LoadedModel }
  /** The model does not load; the message is for people. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "run"; readonly record: RunRecord }
  | { readonly kind: "progress"; readonly id: number; readonly windowsDone: number; readonly windowsTotal: number }
  | { readonly kind: "answers"; readonly id: number; readonly answers: readonly QuestionAnswer[] }
  /** `message` is for the client where the input is at fault, else `error` is a defect. */
  | { readonly kind: "failed"; readonly id: number; readonly message?: string; readonly error?: unknown };
