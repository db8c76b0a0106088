// The model in a thread of its own: onnxruntime-node computes in the thread that calls it, which must not be the one that serves.
import { areFinite } from "@bertqa/answers";
import { BertqaError } from "@bertqa/squad";
import { parentPort, workerData } from "node:worker_threads";
import type { ModelInputs } from "../batches.ts";
import { loadParts } from "../load-parts.ts";
import { QuestionAnswering, type Parts } from "../question-answering.ts";
import type { EngineData, FromWorker, ToWorker } from "./engine-messages.ts";
import { SharedSession } from "./shared-session.ts";
import { SideSession } from "./side-session.ts";

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
  const { count, threads } = options.copies ?? { count: 0, threads: 1 };
  const copies = await Promise.all(
    Array.from({ length: count }, async () => SideSession.load(model, { ...options, threads })),
  );
  const shared = new SharedSession({
    ...{ whole: parts.session, copies, batchTokens: parts.limits.batchTokens },
    onRun: (record) => post({ kind: "run", record }),
  });
  const longest = longestWindow(parts.decision.window.maxTokens);
  // ONNX Runtime takes memory in a shape's first run, and its plan for that shape in the second; shorter windows fit in.
  for (let run = 0; run < 2; run += 1) {
    const [logits] = await Promise.all([parts.session, ...copies].map((each) => each.run(longest)));
    // Each question would be refused as if it were at fault.
    if (!areFinite(logits!, longest.tokenCount)) throw damaged(model);
  }
  port.on("message", (message: ToWorker) => {
    if (message.kind === "ask") void answer(message.id, message.inputs, parts, shared);
    else if (message.kind === "cancel") running.get(message.id)?.abort();
    else void Promise.all([parts.session, ...copies].map((each) => each.dispose())).then(() => port.close());
  });
  const { precision, runtime, decision } = parts;
  post({ kind: "loaded", model: { precision, runtime, decision } });
} catch (error) {
  if (!(error instanceof BertqaError)) throw error;
  post({ kind: "refused", message: error.message });
  port.close();
}

function damaged(model: string): BertqaError {
  return new BertqaError("bertqa", "the model's logits are not finite numbers: its weights are damaged", {
    remedy: "Export the model again",
    where: model,
  });
}

function longestWindow(tokenCount: number): ModelInputs {
  const zeros = new BigInt64Array(tokenCount);
  const ones = new BigInt64Array(tokenCount).fill(1n);
  return { windowCount: 1, tokenCount, inputIds: zeros, attentionMask: ones, tokenTypeIds: zeros };
}

async function answer(
  id: number,
  inputs: Extract<ToWorker, { kind: "ask" }>["inputs"],
  parts: Parts,
  shared: SharedSession,
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  running.set(id, controller);
  const limits = { ...parts.limits, batchTokens: Math.min(sliceTokens, parts.limits.batchTokens) };
  const qa = new QuestionAnswering({ ...parts, limits, session: shared.withSignal(signal) });
  try {
    const onProgress = (windowsDone: number, windowsTotal: number) =>
      post({ kind: "progress", id, windowsDone, windowsTotal });
    post({ kind: "answers", id, answers: await qa.answerAll(inputs, { signal, onProgress }) });
  } catch (error) {
    if (signal.aborted) post({ kind: "failed", id });
    else if (error instanceof BertqaError) post({ kind: "failed", id, message: error.message });
    else post({ kind: "failed", id, error });
  } finally {
    running.delete(id);
    controller.abort();
  }
}
