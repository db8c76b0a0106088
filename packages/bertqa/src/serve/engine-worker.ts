// The model in a thread of its own: onnxruntime-node computes in the thread that calls it, which must not be the one that serves.
import { BertqaError } from "@bertqa/squad";
import { parentPort, workerData } from "node:worker_threads";
import { loadParts } from "../load-parts.ts";
import { QuestionAnswering, type Parts } from "../question-answering.ts";
import type { EngineData, FromWorker, ToWorker } from "./engine-messages.ts";
import { SharedSession } from "./shared-session.ts";

/**
 * Tokens of one caller's batch, padding included: a long passage hands the model back after so many. Small enough that others
 * need not wait long, large enough that it costs little alone.
 */
const sliceTokens = 1024;

const port = parentPort!;
const post = (message: FromWorker) => port.postMessage(message);
const running = new Map<number, AbortController>();

try {
  const { model, options } = workerData as EngineData;
  const parts = await loadParts(model, options);
  const shared = new SharedSession(parts.session, parts.limits.batchTokens, (record) => post({ kind: "run", record }));
  // The first run allocates.
  await answererFor(parts, shared).answer({
    question: "What is read first?",
    context: "This is read first. ".repeat(30),
  });
  port.on("message", (message: ToWorker) => {
    if (message.kind === "ask") void answer(message.id, message.inputs, parts, shared);
    else if (message.kind === "cancel") running.get(message.id)?.abort();
    else void parts.session.dispose().then(() => port.close());
  });
  const { precision, runtime, decision } = parts;
  post({ kind: "loaded", model: { precision, runtime, decision } });
} catch (error) {
  if (!(error instanceof BertqaError)) throw error;
  post({ kind: "refused", message: error.message });
  port.close();
}

function answererFor(parts: Parts, shared: SharedSession, signal?: AbortSignal): QuestionAnswering {
  const limits = { ...parts.limits, batchTokens: Math.min(sliceTokens, parts.limits.batchTokens) };
  return new QuestionAnswering({ ...parts, limits, session: shared.withSignal(signal) });
}

async function answer(
  id: number,
  inputs: Extract<ToWorker, { kind: "ask" }>["inputs"],
  parts: Parts,
  shared: SharedSession,
): Promise<void> {
  const { signal, abort } = withAbort(id);
  try {
    post({ kind: "answers", id, answers: await answererFor(parts, shared, signal).answerAll(inputs, { signal }) });
  } catch (error) {
    if (signal.aborted) post({ kind: "failed", id });
    else if (error instanceof BertqaError) post({ kind: "failed", id, message: error.message });
    else post({ kind: "failed", id, error });
  } finally {
    running.delete(id);
    abort();
  }
}

function withAbort(id: number): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  running.set(id, controller);
  return { signal: controller.signal, abort: () => controller.abort() };
}
