import {
  createHttpService,
  describeError,
  hashToken,
  stopOnSignals,
  type HttpService,
  type HttpToken,
  type LogLevel,
} from "@bertqa/http";
import { BertqaError } from "@bertqa/squad";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { bodyBytesFor, defaultApiLimits, defaultQueueLimits } from "../limits.ts";
import { addApi, askScope } from "../serve/api.ts";
import type { EngineOptions } from "../serve/engine-messages.ts";
import { AnswerEngine } from "../serve/engine.ts";
import { addPage, loadPage } from "../serve/page-files.ts";
import type { ModelFlags } from "./ask.ts";
import { PassageIndex, readDocuments } from "./documents.ts";
import { findLastExport } from "./last-export.ts";

export interface ServeFlags extends ModelFlags {
  readonly host: string;
  readonly port: number;
  readonly documents?: string;
  readonly tokenFile?: string;
  readonly openToAll?: boolean;
  readonly allowedHost?: readonly string[];
  readonly corsOrigin?: readonly string[];
  readonly batchTokens?: number;
  readonly copies?: number;
  readonly maxQuestions?: number;
  readonly maxWaiting?: number;
  readonly maxConnections?: number;
  readonly logLevel: LogLevel;
}

/** A request that was taken has so long to be answered: the queue alone may hold it for a third of this. */
const answerMs = 60_000;

/** `bertqa serve`: answers over HTTP until it is told to stop. Prints its address once the model is loaded. */
export async function serve(flags: ServeFlags): Promise<void> {
  const model = resolve(flags.model ?? (await findLastExport(process.cwd())));
  const notes: string[] = [];
  const note = (line: string) => void notes.push(line);
  const documents =
    flags.documents === undefined ? undefined : new PassageIndex(await readDocuments(flags.documents, { note }));
  const limits = {
    ...defaultApiLimits,
    ...(flags.maxQuestions !== undefined && { questions: flags.maxQuestions }),
    ...(flags.maxPassageCharacters !== undefined && {
      passageCharacters: flags.maxPassageCharacters,
      requestCharacters: Math.max(defaultApiLimits.requestCharacters, flags.maxPassageCharacters),
    }),
  };
  const tokens = await readTokens(flags.tokenFile);
  let engine: AnswerEngine | undefined;
  const service = await createHttpService({
    ...{ host: flags.host, port: flags.port, tokens, logLevel: flags.logLevel },
    openToAll: flags.openToAll ?? false,
    allowedHosts: flags.allowedHost ?? [],
    corsOrigins: flags.corsOrigin ?? [],
    isReady: () => engine !== undefined,
    limits: {
      bodyBytes: bodyBytesFor(limits),
      handlerMs: answerMs,
      idleMs: answerMs + 30_000,
      graceMs: answerMs,
      ...(flags.maxConnections !== undefined && { connections: flags.maxConnections }),
    },
  });
  for (const line of notes) service.app.log.warn(line);
  const queue = {
    ...defaultQueueLimits,
    ...(flags.maxWaiting !== undefined && { waitingQuestions: flags.maxWaiting }),
  };
  const hasTokens = tokens.length > 0;
  const api = await addApi(service, { name: nameOf(model), limits, queue, documents, hasTokens });
  addPage(service, await loadPage());
  const stop = async () => {
    await service.stop();
    await engine?.stop();
  };
  stopOnSignals(service, stop);

  const address = await service.listen();
  try {
    engine = await AnswerEngine.load(model, engineOptions(flags), (error) => {
      engine = undefined;
      api.use(engine);
      endAfter(service, error);
    });
    api.use(engine);
  } catch (error) {
    await stop();
    throw error;
  }
  process.stdout.write(`${address}\n`);
}

/** A model that died takes the process along, once what was taken is answered: what started the server starts it again. */
function endAfter(service: HttpService, error: unknown): void {
  service.app.log.fatal({ err: describeError(error) }, "the model's thread died");
  process.exitCode = 1;
  void service.stop().then(() => process.exit(1));
}

function engineOptions(flags: ServeFlags): EngineOptions {
  const { precision, runtime, threads, batchTokens } = flags;
  return {
    ...{ precision, copies: copiesFor(flags) },
    ...(runtime !== undefined && { runtime }),
    ...(threads !== undefined && { threads }),
    ...(batchTokens !== undefined && { batchTokens }),
    // The schema of requests has the limit; passages of documents have a length of their own.
    maxPassageCharacters: Infinity,
  };
}

/** More copies than this would hold more memory than they save time. */
const mostCopies = 4;

/** The cores are shared out to copies of the model; one copy alone would add nothing to the model that has all of them. */
function copiesFor({ threads = availableParallelism(), copies = Math.min(threads, mostCopies) }: ServeFlags) {
  const count = copies > 1 ? copies : 0;
  return { count, threads: Math.max(1, Math.floor(threads / copies)) };
}

/** `artifacts/<pipeline>/export` is named after its pipeline. */
function nameOf(model: string): string {
  return basename(model) === "export" ? basename(dirname(model)) : basename(model);
}

/** Tokens, one a line, from a file or the environment: an argument would show in the list of processes. */
async function readTokens(file: string | undefined): Promise<HttpToken[]> {
  let text = process.env["BERTQA_TOKEN"] ?? "";
  if (file !== undefined) {
    text = await readFile(file, "utf8").catch((cause: unknown) => {
      const problem = `the file of tokens cannot be read: ${(cause as Error).message}`;
      throw new BertqaError("serve", problem, { where: file, cause });
    });
  }
  const tokens = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (file !== undefined && tokens.length === 0) {
    throw new BertqaError("serve", "the file of tokens is empty", { where: file });
  }
  return tokens.map((token) => ({ sha256: hashToken(token.trim()), scopes: [askScope, "metrics"] }));
}
