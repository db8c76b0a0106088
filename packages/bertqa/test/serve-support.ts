import { execFile } from "node:child_process";
import { once } from "node:events";
import { createHttpService, type HttpServiceOptions } from "@bertqa/http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { PassageIndex, readDocuments } from "../src/cli/documents.ts";
import { defaultApiLimits, defaultQueueLimits, type ApiLimits, type QueueLimits } from "../src/limits.ts";
import { addApi } from "../src/serve/api.ts";
import { AnswerEngine } from "../src/serve/engine.ts";
import { temporaryFolder, writeTinyExport } from "./tiny-export.ts";

export const passage = "Ada Lovelace wrote the program in 1843. It is the engine of it, where Ada wrote on it.";
export const json = { "content-type": "application/json" };

export interface ServerOptions extends HttpServiceOptions {
  readonly limitsOfApi?: Partial<ApiLimits>;
  readonly queue?: Partial<QueueLimits>;
  readonly documents?: string;
  readonly isLoaded?: boolean;
  readonly batchTokens?: number;
  readonly copies?: number;
}

/** The server in this process, with a made-up model; stopped after the test. */
export async function startServer(options: ServerOptions = {}) {
  const folder = await writeTinyExport(await temporaryFolder());
  const server = await openServer(folder, options);
  onTestFinished(async () => void (await server.stop()));
  return server;
}

/** One server for all tests of a file, in whose hooks it is called. */
export async function openSharedServer(options: ServerOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-"));
  const server = await openServer(await writeTinyExport(folder), options);
  const stop = async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  };
  return { ...server, stop };
}

async function openServer(folder: string, options: ServerOptions) {
  const { limitsOfApi, queue, documents, isLoaded = true, batchTokens = 1, copies = 0, ...ofService } = options;
  const lines: string[] = [];
  const service = await createHttpService({ logStream: { write: (line) => lines.push(line) }, ...ofService });
  const api = await addApi(service, {
    name: "tiny",
    limits: { ...defaultApiLimits, ...limitsOfApi },
    queue: { ...defaultQueueLimits, ...queue },
    hasTokens: (options.tokens ?? []).length > 0,
    documents: documents === undefined ? undefined : new PassageIndex(await readDocuments(documents)),
  });
  const engine = await AnswerEngine.load(folder, { batchTokens, copies: { count: copies, threads: 1 } }, () => {});
  if (isLoaded) api.use(engine);
  const address = await service.listen();
  const stop = async () => {
    const tally = await service.stop();
    await engine.stop();
    return tally;
  };
  let stopped: ReturnType<typeof stop> | undefined;
  const stopOnce = () => (stopped ??= stop());
  return { address, service, lines, stop: stopOnce, folder, engine };
}

export async function post(address: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(address + path, {
    method: "POST",
    headers: { ...json, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** The command `bertqa serve` of this workspace. */
export const workspaceBin = join(import.meta.dirname, "../bin/bertqa.mjs");

/** `bertqa serve` as a process of its own, once its model is loaded; it ends with the test at the latest. */
export async function startCommand(bin: string, flags: readonly string[], env: Record<string, string> = {}) {
  const options = { env: { ...process.env, ...env }, maxBuffer: 1024 ** 3 };
  const child = execFile(process.execPath, [bin, "serve", "--port", "0", ...flags], options);
  onTestFinished(() => void child.kill("SIGKILL"));
  const exit = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  let log = "";
  child.stderr!.on("data", (text: string) => (log += text));
  const failed = exit.then(() => Promise.reject(new Error(`bertqa serve ended: ${log}`)));
  const [line] = (await Promise.race([once(child.stdout!, "data"), failed])) as [string];
  failed.catch(() => {});
  /** Its log: one JSON object a line. */
  const lines = () =>
    log
      .trim()
      .split("\n")
      .map((each) => JSON.parse(each) as Record<string, unknown>);
  return { address: line.trim(), child, exit, lines };
}
