import { env } from "onnxruntime-web/wasm";
import { loadQuestionAnswering, type Precision, type QuestionAnswering } from "../../src/browser.ts";
import type { FromWorker, ToWorker } from "../protocol.ts";
import { selfTestProblem, type Site } from "../site.ts";

declare const self: DedicatedWorkerGlobalScope;

/** More threads than this no longer help a model of this size. */
const maxThreads = 4;

let qa: QuestionAnswering | undefined;
const running = new Map<number, AbortController>();

const send = (message: FromWorker) => self.postMessage(message);
const root = new URL("../", self.location.href);

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "open") void open().catch((error: unknown) => send({ type: "unable", message: messageOf(error) }));
  else if (data.type === "ask") void answer(data);
  else running.get(data.id)?.abort();
});

async function open(): Promise<void> {
  const site = (await (await get(new URL("site.json", root))).json()) as Site;
  const progress = new Progress(site.wasm.bytes + site.modelBytes.int8);
  await startRuntime(site, progress);
  const remarks: string[] = [];
  let precision: Precision = "int8";
  let problem = await load(site, precision, progress);
  if (problem !== undefined) {
    remarks.push(`The int8 model failed its self-test in this browser (${problem}): float32 answers instead.`);
    precision = "float32";
    progress.add(site.modelBytes.float32);
    problem = await load(site, precision, progress);
    if (problem !== undefined) throw new Error(`This browser computes other answers than the model's: ${problem}.`);
  }
  const threads = env.wasm.numThreads === 1 ? "1 thread" : `${env.wasm.numThreads} threads`;
  send({ type: "ready", facts: [site.name, precision, "in this browser", threads], remarks });
}

async function startRuntime({ wasm }: Site, progress: Progress): Promise<void> {
  // Threads share memory, which browsers allow to pages that are isolated from other origins alone.
  env.wasm.numThreads = self.crossOriginIsolated ? Math.min(maxThreads, navigator.hardwareConcurrency) : 1;
  env.wasm.wasmPaths = { mjs: new URL(wasm.modulePath, root).href, wasm: new URL(wasm.path, root).href };
  env.wasm.wasmBinary = await (await progress.follow(new URL(wasm.path, root))).arrayBuffer();
}

/** @returns what is wrong with the model's answer to the self-test; `undefined` where it passes, and the model stays loaded */
async function load(site: Site, precision: Precision, progress: Progress): Promise<string | undefined> {
  const folder = new URL(`${site.modelFolder}/`, root);
  const loaded = await loadQuestionAnswering(folder, {
    precision,
    fetch: async (url) => {
      // Asking the server for what is not there would be an error on the console.
      if (!site.modelFiles.includes(url.href.slice(folder.href.length))) return new Response(null, { status: 404 });
      return url.pathname.endsWith(".onnx") ? progress.follow(url) : get(url);
    },
  });
  const problem = selfTestProblem(site.selfTest, await loaded.answer(site.selfTest), precision);
  if (problem === undefined) qa = loaded;
  else await loaded.dispose();
  return problem;
}

async function answer({ id, input }: Extract<ToWorker, { type: "ask" }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const onProgress = (done: number, total: number) => send({ type: "windows", id, done, total });
    send({ type: "answer", id, answer: await qa!.answer({ ...input, signal: controller.signal, onProgress }) });
  } catch (error) {
    send({ type: "failed", id, message: messageOf(error) });
  } finally {
    running.delete(id);
  }
}

async function get(url: URL): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error("The model cannot be fetched: there is no network, and it is not kept in this browser yet.");
  }
  if (response.ok) return response;
  throw new Error(
    `The file ${url.href.slice(root.href.length)} cannot be fetched: the server answered ${response.status}.`,
  );
}

/** A page need not be drawn more often. */
const progressMs = 50;

/** Counts the bytes of the large files as they come, after any decompression. */
class Progress {
  #toldAtMs = 0;
  #bytesLoaded = 0;
  #bytesTotal: number;

  constructor(bytesTotal: number) {
    this.#bytesTotal = bytesTotal;
  }

  add(bytes: number): void {
    this.#bytesTotal += bytes;
  }

  async follow(url: URL): Promise<Response> {
    const response = await get(url);
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        this.#bytesLoaded += chunk.byteLength;
        controller.enqueue(chunk);
        if (performance.now() - this.#toldAtMs < progressMs && this.#bytesLoaded < this.#bytesTotal) return;
        this.#toldAtMs = performance.now();
        send({ type: "progress", bytesLoaded: this.#bytesLoaded, bytesTotal: this.#bytesTotal });
      },
    });
    return new Response(response.body?.pipeThrough(count));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
