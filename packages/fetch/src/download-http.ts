import { formatDuration } from "@bertqa/core";
import { constants } from "node:fs";
import { open, stat, truncate } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { EnvHttpProxyAgent, fetch, type Dispatcher, type Response } from "undici";
import type { FetchEnvironment, RetryPolicy } from "./environment.ts";
import { pinRemedy, SourceError } from "./source-error.ts";
import { isLoopback } from "./sources.ts";

interface Address {
  readonly url: string;
  /** Undefined where a file is brought to find out. */
  readonly bytes: number | undefined;
  /** Sent as a bearer token to the URL's own origin; fetch drops it on a redirect to another. */
  readonly token: string | undefined;
}

export interface Download extends Address {
  /** Grows to the whole file; what an earlier attempt left in it is not asked for again. */
  readonly partPath: string;
  readonly onBytes: (done: number) => void;
  /** Told of each failure that will be tried again. */
  readonly onRetry: (reason: string) => void;
}

/**
 * Downloads a file, resuming after interruptions where the server can (Range), with retries on network errors, slow
 * answers, 408, 429 and 5xx.
 *
 * @returns whether the file was put together from more than one answer, so that its parts may not match
 * @throws SourceError if the server refuses, offers another size, or all retries fail
 */
export async function downloadFile(download: Download, environment: FetchEnvironment): Promise<{ resumed: boolean }> {
  const { retry } = environment;
  const dispatcher = createDispatcher(environment);
  const progress: AttemptState = { contacted: false, resumed: false };
  try {
    await pRetry(() => attempt(download, dispatcher, progress, retry), {
      retries: retry.retries,
      minTimeout: retry.firstDelayMs,
      maxTimeout: retry.longestDelayMs,
      randomize: true,
      // A host that nothing was ever heard of gets one more try only, so that the next source has its turn soon.
      shouldRetry: ({ error, attemptNumber }) =>
        error instanceof TransientError && (progress.contacted || attemptNumber < 2),
      onFailedAttempt: async ({ error, retriesLeft, attemptNumber }) => {
        if (!(error instanceof TransientError) || retriesLeft === 0) return;
        if (progress.contacted || attemptNumber < 2) download.onRetry(error.message);
        await sleep(error.retryAfterMs);
      },
    });
    return { resumed: progress.resumed };
  } finally {
    await dispatcher.destroy();
  }
}

/** A short text, such as an answer of the hub's API. @throws SourceError if the server refuses it */
export async function getText(url: string, environment: FetchEnvironment): Promise<string> {
  const dispatcher = createDispatcher(environment);
  const { hubToken } = environment;
  try {
    const download = { url, bytes: undefined, token: hubToken };
    const response = await request(download, 0, dispatcher);
    checkStatus(response, download, environment.retry);
    return await response.text();
  } finally {
    await dispatcher.destroy();
  }
}

interface AttemptState {
  contacted: boolean;
  resumed: boolean;
}

/** Worth another try, after `retryAfterMs` at the least. */
class TransientError extends SourceError {
  readonly retryAfterMs: number;

  constructor(reason: string, retryAfterMs = 0, cause?: unknown) {
    super(reason, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

async function attempt(download: Download, dispatcher: Dispatcher, state: AttemptState, retry: RetryPolicy) {
  const had = await usablePart(download);
  if (had > 0 && had === download.bytes) {
    state.resumed = true;
    return;
  }
  const response = await request(download, had, dispatcher);
  state.contacted = true;
  try {
    if (response.status === 416) await truncate(download.partPath);
    checkStatus(response, download, retry);
    const from = startOfAnswer(response, had);
    if (from > 0) state.resumed = true;
    await writeBody(response, download, from, retry);
  } finally {
    if (response.body && !response.bodyUsed) await response.body.cancel().catch(() => {});
  }
}

/** Bytes that are there already; a part longer than the file is no part of it. */
async function usablePart({ partPath, bytes }: Download): Promise<number> {
  const size = (await stat(partPath).catch(() => undefined))?.size ?? 0;
  if (size === 0 || (bytes !== undefined && size <= bytes)) return size;
  await truncate(partPath);
  return 0;
}

async function request({ url, token }: Address, had: number, dispatcher: Dispatcher) {
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "bertqa-fetch" };
  if (had > 0) headers["range"] = `bytes=${had}-`;
  if (token && mayCarryToken(url)) headers["authorization"] = `Bearer ${token}`;
  try {
    return await fetch(url, { headers, dispatcher: dispatcher.compose(refusePlainHttp(new URL(url))) });
  } catch (cause) {
    throw networkError(cause);
  }
}

function refusePlainHttp(asked: URL): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const to = new URL(String(options.origin));
    if (!mayRedirect(asked, to)) {
      throw new SourceError(`it redirects to ${to.origin}, expected https (plain http only on this machine)`);
    }
    return dispatch(options, handler);
  };
}

/**
 * Where the answer to one address may send on to another: from https to https alone, since what came over plain http could be
 * anybody's, and a server elsewhere has no business with the servers of this machine; from plain http, which is on this machine, to
 * there and to https.
 */
export function mayRedirect(asked: URL, to: URL): boolean {
  if (to.protocol === "https:") return true;
  return asked.protocol === "http:" && (to.origin === asked.origin || isLoopback(to));
}

function mayCarryToken(url: string): boolean {
  const parsed = new URL(url);
  return parsed.protocol === "https:" || isLoopback(parsed);
}

function checkStatus(response: Response, { bytes, token }: Address, retry: RetryPolicy): void {
  const { status } = response;
  const answer = `got ${status} ${response.statusText}`.trim();
  if (status === 408 || status === 416 || status === 429 || status >= 500) {
    const waitMs = retryAfterMs(response);
    if (waitMs > retry.longestRetryAfterMs) {
      throw new SourceError(`${answer}, which asks to wait ${formatDuration(waitMs)}`);
    }
    throw new TransientError(answer, waitMs);
  }
  if (status === 401 || status === 403) {
    throw new SourceError(
      `${answer}${token ? ", with the token of HF_TOKEN" : "; a private repository needs HF_TOKEN"}`,
    );
  }
  if (status !== 200 && status !== 206) throw new SourceError(answer);
  const offered = Number(response.headers.get("content-length") ?? Number.NaN);
  const encoded = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  if (status === 200 && !encoded && bytes !== undefined && Number.isInteger(offered) && offered !== bytes) {
    throw new SourceError(`got ${offered} bytes offered, expected ${bytes}`, { remedy: pinRemedy });
  }
}

/** Retry-After is a number of seconds or a date. */
function retryAfterMs(response: Response): number {
  const value = response.headers.get("retry-after");
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** Where the body belongs in the file: at `had` for the range that was asked for, at 0 for a server that sends it all. */
function startOfAnswer(response: Response, had: number): number {
  if (response.status === 200) return 0;
  const range = response.headers.get("content-range") ?? "";
  const start = /^bytes (\d+)-/.exec(range)?.[1];
  if (Number(start) === had) return had;
  throw new SourceError(`asked for bytes from ${had}, got content-range ${JSON.stringify(range)}`);
}

async function writeBody(response: Response, download: Download, from: number, retry: RetryPolicy): Promise<void> {
  const { partPath, onBytes } = download;
  const offered = response.headers.get("content-length");
  // Without either number, an answer that is cut short cannot be told from a whole one.
  const bytes = download.bytes ?? (offered === null ? undefined : Number(offered));
  const start = from === 0 ? constants.O_CREAT | constants.O_TRUNC : 0;
  const file = await open(partPath, constants.O_WRONLY | constants.O_NOFOLLOW | start);
  let at = from;
  let mark = { at, ms: performance.now() };
  try {
    for await (const chunk of bodyOf(response)) {
      if (bytes !== undefined && at + chunk.length > bytes)
        throw new SourceError(`got more than the expected ${bytes} bytes`, { remedy: pinRemedy });
      await file.write(chunk, 0, chunk.length, at);
      at += chunk.length;
      onBytes(at);
      const elapsedMs = performance.now() - mark.ms;
      if (elapsedMs < retry.idleTimeoutMs) continue;
      // A byte now and then keeps a connection alive for ever; the next source would never have its turn.
      const bytesPerSecond = ((at - mark.at) / elapsedMs) * 1000;
      if (bytesPerSecond < retry.slowestBytesPerSecond) {
        throw new TransientError(`the answer came at ${bytesPerSecond.toFixed(0)} bytes/s only`);
      }
      mark = { at, ms: performance.now() };
    }
  } finally {
    await file.close();
  }
  if (bytes !== undefined && at < bytes) throw new TransientError(`the answer ended after ${at} of ${bytes} bytes`);
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  try {
    yield* response.body as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw networkError(cause);
  }
}

/** fetch says "fetch failed" or "terminated"; what happened is in its cause. */
function networkError(error: unknown): SourceError {
  const cause = (error as Error).cause as (Error & { code?: string; hostname?: string }) | undefined;
  const code = cause?.code ?? "";
  const inner = cause instanceof AggregateError ? (cause.errors[0] as Error) : cause;
  const reason = inner?.message || code || (error as Error).message;
  // A name that is not there, a certificate that is not trusted, a request that cannot be sent (no code): a second look
  // will not change it.
  if (code === "" || /^(ENOTFOUND|ERR_INVALID_URL)$|CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code)) {
    return new SourceError(reason, { cause: error });
  }
  return new TransientError(reason, 0, error);
}

/** Node's own fetch knows no proxies. An unset variable is passed as "", or undici would read `process.env` itself. */
function createDispatcher({ retry, variables }: FetchEnvironment): Dispatcher {
  const valueOf = (name: string) => variables[name] || variables[name.toUpperCase()] || "";
  const [httpProxy, httpsProxy, noProxy] = [valueOf("http_proxy"), valueOf("https_proxy"), valueOf("no_proxy")];
  try {
    return new EnvHttpProxyAgent({
      httpProxy,
      httpsProxy,
      noProxy,
      headersTimeout: retry.idleTimeoutMs,
      bodyTimeout: retry.idleTimeoutMs,
      connect: { timeout: retry.connectTimeoutMs },
    });
  } catch (cause) {
    throw new SourceError(`HTTP_PROXY or HTTPS_PROXY cannot be used: ${(cause as Error).message}`, { cause });
  }
}
