import { BertqaError } from "@bertqa/squad";

/** What one client, or many, may take of the server. A route may set its own `bodyLimit` and `config.handlerMs`. */
export interface HttpLimits {
  /** Bytes of a body that is read whole; a longer one gets 413. Streamed bodies are the route's own affair. */
  readonly bodyBytes: number;
  /** Bytes of all header fields; more get 431. */
  readonly headerBytes: number;
  /** Characters of path and query; more get 414. */
  readonly urlCharacters: number;
  /** Open connections; a further one is closed at once, and counted. */
  readonly connections: number;
  /** Time to send the header fields, from the first byte or the start of the connection; then 408. */
  readonly headersMs: number;
  /** Time to send the whole request; then 408. 0: no limit, for routes that stream. */
  readonly requestMs: number;
  /** Time from the request's header fields to its answer; then 503, and `workSignal` aborts. */
  readonly handlerMs: number;
  /** A connection on which no byte moves for so long is closed. Longer than {@link handlerMs}. */
  readonly idleMs: number;
  /** A connection without a request is kept for so long. */
  readonly keepAliveMs: number;
  /** Time that a stop leaves to requests taken before. */
  readonly graceMs: number;
}

const defaultHttpLimits: HttpLimits = {
  bodyBytes: 1024 * 1024,
  headerBytes: 16 * 1024,
  urlCharacters: 2048,
  connections: 512,
  headersMs: 10_000,
  requestMs: 30_000,
  handlerMs: 30_000,
  idleMs: 60_000,
  keepAliveMs: 10_000,
  graceMs: 30_000,
};

/** @throws BertqaError if the times contradict each other */
export function checkLimits(given: Partial<HttpLimits>): HttpLimits {
  const limits = { ...defaultHttpLimits, ...given };
  if (limits.idleMs <= limits.handlerMs) {
    const problem = `idleMs ${limits.idleMs} would close a connection before its answer may come, after handlerMs ${limits.handlerMs}`;
    throw new BertqaError("http", problem, { remedy: "Set idleMs above handlerMs" });
  }
  if (limits.requestMs > 0 && limits.headersMs > limits.requestMs) {
    const problem = `headersMs ${limits.headersMs} is above requestMs ${limits.requestMs}, which holds for the whole request`;
    throw new BertqaError("http", problem, { remedy: "Set headersMs to requestMs at most" });
  }
  return limits;
}

/** What Node's server and fastify take for these limits. */
export function serverOptions(limits: HttpLimits) {
  return {
    bodyLimit: limits.bodyBytes,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    requestTimeout: limits.requestMs,
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      // How often Node looks for requests that are late.
      connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.headersMs / 4)),
      // Ours says so in JSON.
      requireHostHeader: false,
    },
  };
}
