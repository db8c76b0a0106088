import { bearerToken, createHttpService, HttpProblem, type HttpService, type LogStream } from "@bertqa/http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Counter, Gauge } from "prom-client";
import type { Readable } from "node:stream";
import { digestHeader, hashPattern, sha256OfHeader, type EntryKey } from "../names.ts";
import { defaultPace, pacer, TooSlowError, type Pace } from "../pace.ts";
import { BodyLengthError, spool, type ScratchFile } from "../scratch.ts";
import { openCache } from "./cache.ts";
import type { Store } from "./store.ts";
import { grantOf, type Grant } from "./tokens.ts";

export interface CacheServerOptions {
  readonly store: Store;
  /** The grants as they are now. */
  readonly grants: () => Promise<readonly Grant[]>;
  readonly host?: string;
  readonly port?: number;
  /** Names that the server answers to on loopback, too: those of a reverse proxy that keeps the Host field. */
  readonly allowedHosts?: readonly string[];
  /** What the store may hold, in bytes; the longest unused entries go beyond it. */
  readonly mostBytes: number;
  readonly mostEntryBytes: number;
  readonly pace?: Pace;
  readonly logStream?: LogStream;
}

type HashRequest = FastifyRequest<{ Params: { hash: string } }>;

/**
 * A server of Nx's self-hosted cache protocol: `GET`, `HEAD` and `PUT /v1/cache/{hash}`. What it says on an error is text, which
 * Nx shows. https://nx.dev/docs/kb/self-hosted-caching
 *
 * A body that will not be kept is read all the same before the answer: Nx's client sends it whole and fails the run where the
 * connection ends under it.
 */
export async function createCacheServer(options: CacheServerOptions): Promise<HttpService> {
  const { grants, mostBytes, mostEntryBytes, pace = defaultPace, host, port, allowedHosts, logStream } = options;
  const service = await createHttpService({
    // Every route below but the probes asks for a token, whatever address the server listens on.
    openToAll: true,
    // A large entry is read whole before its first byte goes out, and stored before its answer: clients wait ten minutes for that.
    limits: { requestMs: 0, idleMs: 11 * 60_000 },
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(allowedHosts === undefined ? {} : { allowedHosts }),
    ...(logStream === undefined ? {} : { logStream }),
  });
  const { app } = service;
  const count = cacheMetrics(service);
  const cache = await openCache(options.store, mostBytes, {
    damaged: (key, problem) => {
      count.damaged.inc();
      app.log.error({ ...keyOf(key), problem }, "dropped a damaged entry");
    },
    evicted: (key, bytes) => {
      count.evicted.inc();
      app.log.info({ ...keyOf(key), bytes }, "dropped an entry to make room");
    },
  });
  count.entries(() => cache.inventory.count);
  count.size(() => cache.inventory.bytes);
  app.addHook("onClose", () => cache.close());
  let incomingBytes = 0;

  const authorize = async (request: FastifyRequest): Promise<Grant> => {
    const token = bearerToken(request);
    const grant = token === undefined ? undefined : grantOf(await grants(), token);
    if (grant) return grant;
    throw new HttpProblem(401, "unauthorized", "The cache's server does not know the token, or got none.", {
      headers: { "www-authenticate": 'Bearer realm="bertqa"' },
    });
  };
  app.addHook("onRequest", async (request) => {
    if (request.routeOptions.url === "/metrics") await authorize(request);
  });

  const told = (request: HashRequest, grant: Grant, operation: string, result: string, bytes = 0) => {
    count.requests.inc({ operation, result });
    count.bytes.inc({ operation }, bytes);
    request.log.info({ token: grant.name, hash: request.params.hash, operation, result, bytes }, "cache");
  };

  await app.register(async (routes) => {
    // JSON too would be taken and read here, and its value passed for the body.
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));
    routes.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof HttpProblem)) throw error;
      return sendText(reply, error);
    });
    // The pace limits bodies; a large one may take hours.
    const route = { url: "/v1/cache/:hash", config: { handlerMs: 24 * 3600 * 1000 } } as const;

    routes.route({
      ...route,
      method: "HEAD",
      handler: async (request: HashRequest, reply) => {
        const grant = await authorize(request);
        const isThere = await cache.has(grant, hashOf(request));
        const allowed = grant.writes === null ? "GET, HEAD" : "GET, HEAD, PUT";
        return reply
          .code(isThere ? 200 : 404)
          .header("allow", allowed)
          .send();
      },
    });

    routes.route({
      ...route,
      method: "GET",
      handler: async (request: HashRequest, reply) => {
        const grant = await authorize(request);
        const entry = await cache.open(grant, hashOf(request));
        if (!entry) {
          told(request, grant, "get", "miss");
          throw new HttpProblem(404, "not_found", "The cache has no such entry.");
        }
        told(request, grant, "get", "hit", entry.bytes);
        return reply
          .headers({ "content-length": entry.bytes, "repr-digest": digestHeader(entry.sha256) })
          .type("application/octet-stream")
          .send(entry.stream());
      },
    });

    routes.route({
      ...route,
      method: "PUT",
      handler: async (request: HashRequest, reply) => {
        const grant = await authorize(request);
        const hash = hashOf(request);
        const bytes = lengthOf(request, mostEntryBytes);
        const promised = sha256OfHeader(request.headers["repr-digest"] as string | undefined);
        if (promised === null) throw new HttpProblem(400, "digest", "Repr-Digest cannot be read.");
        const body = (request.body ?? request.raw) as Readable;
        const refusal = grant.writes === null ? forbidden() : (await cache.has(grant, hash)) ? exists() : undefined;
        if (refusal) {
          await drain(body, pace);
          told(request, grant, "put", refusal.code);
          throw refusal;
        }
        if (incomingBytes + bytes > 4 * mostEntryBytes) {
          await drain(body, pace);
          throw new HttpProblem(503, "busy", "Too much is being sent at once.", { retryAfterSeconds: 30 });
        }
        incomingBytes += bytes;
        let file: ScratchFile | undefined;
        try {
          file = await spool(paced(body, pace), cache.scratchFolder, bytes).catch((error: unknown) => {
            throw problemOf(error);
          });
          if (promised !== undefined && promised !== file.sha256) {
            throw new HttpProblem(400, "digest", "The body's sha256 is not that of Repr-Digest.");
          }
          const result = await cache.put(grant, hash, file);
          told(request, grant, "put", result, result === "stored" ? bytes : 0);
          if (result === "exists") throw exists();
          if (result === "forbidden") throw forbidden();
          return await sendPlain(reply, 200, "stored");
        } finally {
          incomingBytes -= bytes;
          await file?.remove();
        }
      },
    });
  });
  return service;
}

const keyOf = ({ namespace, hash }: EntryKey) => ({ namespace, hash });
const forbidden = () => new HttpProblem(403, "forbidden", "The token may read, and not write.");
const exists = () => new HttpProblem(409, "exists", "The cache has this entry, and keeps it.");

function hashOf(request: HashRequest): string {
  if (hashPattern.test(request.params.hash)) return request.params.hash;
  throw new HttpProblem(400, "hash", "A hash is 1 to 64 digits or letters a to f.");
}

function lengthOf(request: FastifyRequest, mostBytes: number): number {
  const text = request.headers["content-length"];
  if (text === undefined) throw new HttpProblem(411, "length_required", "Give Content-Length.", closes);
  const bytes = Number(text);
  if (bytes <= mostBytes) return bytes;
  throw new HttpProblem(413, "too_large", `An entry has ${mostBytes} bytes at most.`, closes);
}

/** For what is refused unread. */
const closes = { headers: { connection: "close" } };

/** A body that is given up where it comes too slowly, and fails where its client goes away. */
function paced(body: Readable, pace: Pace): Readable {
  const passing = body.pipe(pacer(pace, () => void body.unpipe()));
  body.once("error", (error) => passing.destroy(error));
  body.once("close", () => void (body.readableEnded || passing.destroy(new Error("the client went away"))));
  return passing;
}

async function drain(body: Readable, pace: Pace): Promise<void> {
  try {
    for await (const _piece of paced(body, pace));
  } catch {
    // The client went away, or was too slow: it gets the same answer, if it can still read it.
  }
}

function problemOf(error: unknown): Error {
  if (error instanceof BodyLengthError)
    return new HttpProblem(400, "length", "The body is not as long as Content-Length.");
  if (error instanceof TooSlowError) return new HttpProblem(408, "too_slow", "The body came too slowly.", closes);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return new HttpProblem(507, "full", "The cache's disk is full.", closes);
  if (code === "ECONNRESET" || message === "the client went away")
    return new HttpProblem(400, "aborted", "The body broke off.", closes);
  return error as Error;
}

function sendText(reply: FastifyReply, { status, message, extras }: HttpProblem): FastifyReply {
  if (extras.headers) reply.headers(extras.headers);
  if (extras.retryAfterSeconds !== undefined) reply.header("retry-after", String(extras.retryAfterSeconds));
  return sendPlain(reply, status, message);
}

/** Nx compares the type with `text/plain` to the letter. */
function sendPlain(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .header("content-type", "text/plain")
    .send(Buffer.from(`${text}\n`));
}

function cacheMetrics({ metrics }: HttpService) {
  const registers = [metrics];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => (read: () => number) =>
    void new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  return {
    requests: counter("bertqa_cache_requests_total", "Requests for entries", ["operation", "result"]),
    bytes: counter("bertqa_cache_transferred_bytes_total", "Bytes of entries given and taken", ["operation"]),
    evicted: counter("bertqa_cache_evictions_total", "Entries dropped to make room", []),
    damaged: counter("bertqa_cache_damaged_total", "Entries dropped because their bytes had changed", []),
    entries: gauge("bertqa_cache_entries", "Entries held"),
    size: gauge("bertqa_cache_bytes", "Bytes held"),
  };
}
