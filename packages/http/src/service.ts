import cors from "@fastify/cors";
import { BertqaError } from "@bertqa/squad";
import fastify, { LogController, type FastifyInstance, type FastifyRequest } from "fastify";
import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { checkNames, hostCheck, isLoopback, listenAddress } from "./host.ts";
import { acceptJsonAlone } from "./json.ts";
import { checkLimits, serverOptions, type HttpLimits } from "./limits.ts";
import { loggerOptions, type LogLevel, type LogStream } from "./log.ts";
import { missingRoutes } from "./methods.ts";
import { observeRequests, routeOf } from "./metrics.ts";
import { answerParserError, HttpProblem, sendProblem, toProblem } from "./problems.ts";
import { followConnections, type Tally } from "./stopping.ts";
import { tokenCheck, type HttpToken } from "./tokens.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The scope that a token must open; none: open to all who reach the server. */
    readonly scope?: string;
    /** Instead of the service's `handlerMs`. */
    readonly handlerMs?: number;
  }
}

export interface HttpServiceOptions {
  /** An address of this machine; default 127.0.0.1, which no other machine reaches. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  readonly limits?: Partial<HttpLimits>;
  /** Without tokens every route is open, and the server listens on loopback alone. */
  readonly tokens?: readonly HttpToken[];
  /** Listens elsewhere without a token, too. */
  readonly openToAll?: boolean;
  /** Host names that the server answers to, besides loopback's. Elsewhere than on loopback, none given means all. */
  readonly allowedHosts?: readonly string[];
  /** Origins whose pages may call the server, "*" for all; default none. */
  readonly corsOrigins?: readonly string[];
  /** Whether the service can do its work; `/readyz` tells. Default: as soon as it listens. */
  readonly isReady?: () => boolean;
  readonly logLevel?: LogLevel;
  /** Default: standard error. */
  readonly logStream?: LogStream;
}

/** A server to add routes to. A route's `config: { scope }` asks for a token; its handler may stop at `workSignal(reply)`. */
export interface HttpService {
  readonly app: FastifyInstance;
  /** For metrics of the service's own; `/metrics` prints them all. */
  readonly metrics: Registry;
  readonly limits: HttpLimits;
  /** @returns the address, such as `http://127.0.0.1:8080` */
  listen(): Promise<string>;
  /** Finishes the requests taken, refuses others with 503, closes idle connections. `/readyz` says no from now on. */
  stop(): Promise<Tally>;
}

/** Sent with every answer; a route may set its own. */
const securityHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

/**
 * Makes a fastify server with limits on everything, errors as problem+json (RFC 9457), tokens by scope, `/healthz`, `/readyz`,
 * `/metrics`, logs without what clients sent, and a stop that finishes what was taken.
 *
 * @throws BertqaError if limits, tokens or names are not valid, or others could reach a server without a token
 */
export async function createHttpService(options: HttpServiceOptions = {}): Promise<HttpService> {
  const limits = checkLimits(options.limits ?? {});
  checkNames(options.allowedHosts ?? [], options.corsOrigins ?? []);
  const tokens = options.tokens ?? [];
  const host = listenAddress(options.host ?? "127.0.0.1", {
    hasToken: tokens.length > 0,
    isOpen: options.openToAll ?? false,
  });
  const app = fastify({
    ...serverOptions(limits),
    logger: loggerOptions(options.logLevel ?? "info", options.logStream ?? process.stderr),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    return503OnClosing: false,
    routerOptions: { maxParamLength: limits.urlCharacters },
    clientErrorHandler: (error, socket) => answerParserError(error, socket),
    frameworkErrors: (error, request, reply) => {
      void sendProblem(request, reply.headers(securityHeaders), toProblem(error));
    },
  }) as unknown as FastifyInstance;
  app.server.maxConnections = limits.connections;
  // Else Node itself refuses what Expect asks for, without a word.
  app.server.on("checkExpectation", (request, response) => app.routing(request, response));

  app.addHook("onRequest", (request, reply, done) => {
    reply.headers({ ...securityHeaders, "x-request-id": request.id });
    done();
  });
  const metrics = observeRequests(app);
  logAnswers(app);
  answerInTime(app, limits.handlerMs);
  const connections = followConnections(app);
  refuseEarly(app, options, host, limits);
  acceptJsonAlone(app);
  if (options.corsOrigins && options.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...options.corsOrigins],
      exposedHeaders: ["retry-after", "x-request-id"],
      // Else an OPTIONS that is no preflight is refused in plain text.
      strictPreflight: false,
    });
  }

  const checkToken = tokenCheck(tokens);
  const missing = missingRoutes(app, limits.urlCharacters);
  const refuseMissing = ({ url }: FastifyRequest) => {
    throw missing(url.split("?")[0]!);
  };
  app.addHook("onRequest", (request, _reply, done) => {
    // Before the body is looked at, whose own faults would hide this one.
    if (request.is404) refuseMissing(request);
    const { scope } = request.routeOptions.config;
    if (scope !== undefined) checkToken(request, scope);
    done();
  });
  app.setNotFoundHandler(refuseMissing);
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === "internal") {
      request.log.error({ err: error, route: routeOf(request) }, "a request failed");
    }
    return sendProblem(request, reply, problem);
  });
  addStateRoutes(app, metrics, () => !connections.isStopping() && (options.isReady?.() ?? true));

  let stopped: Promise<Tally> | undefined;
  return {
    app,
    metrics,
    limits,
    listen: () => listen(app, host, options.port ?? 0),
    stop: () =>
      (stopped ??= connections.stop(limits.graceMs).then((tally) => {
        metrics.clear();
        app.log.info(tally, "stopped");
        return tally;
      })),
  };
}

function logAnswers(app: FastifyInstance): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { statusCode, elapsedTime } = reply;
    const line = { method: request.method, route: routeOf(request), statusCode, ms: Math.round(elapsedTime) };
    request.log.info(line, "answered");
    done();
  });
}

/** fastify's own `handlerTimeout` (5.12) ends with the request's body, so that it never holds for a POST. */
function answerInTime(app: FastifyInstance, handlerMs: number): void {
  app.addHook("onRequest", (request, reply, done) => {
    const timer = setTimeout(() => {
      if (reply.sent) return;
      if (reply.raw.headersSent) return void reply.raw.destroy();
      const problem = new HttpProblem(503, "timeout", "The answer took too long.", { retryAfterSeconds: 1 });
      void sendProblem(request, reply, problem);
    }, request.routeOptions.config.handlerMs ?? handlerMs);
    reply.raw.once("close", () => clearTimeout(timer));
    done();
  });
}

/** What needs no look at the body. */
function refuseEarly(app: FastifyInstance, options: HttpServiceOptions, host: string, limits: HttpLimits): void {
  const checkHost = hostCheck(options.allowedHosts ?? [], host);
  app.addHook("onRequest", (request, _reply, done) => {
    if (request.url.length > limits.urlCharacters) {
      throw new HttpProblem(414, "url_too_long", `The address is longer than ${limits.urlCharacters} characters.`);
    }
    const { expect } = request.headers;
    if (expect !== undefined && !/100-continue/i.test(expect)) {
      const headers = { connection: "close" };
      throw new HttpProblem(417, "expectation", "The server meets no expectation but 100-continue.", { headers });
    }
    checkHost(request.raw.headersDistinct["host"]);
    done();
  });
}

function addStateRoutes(app: FastifyInstance, metrics: Registry, isReady: () => boolean): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", () => {
    if (isReady()) return { status: "ready" };
    throw new HttpProblem(503, "not_ready", "The server is not ready.", { retryAfterSeconds: 1 });
  });
  app.get("/metrics", { config: { scope: "metrics" } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port, listenTextResolver: () => "listening" });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const problem = `cannot listen on ${host}, port ${port}: ${code}`;
    throw new BertqaError("http", problem, { remedy: "Give another --port or --host", cause });
  }
  const { address, family, port: taken } = app.server.address() as AddressInfo;
  const shown = isLoopback(address) && family === "IPv4" ? "127.0.0.1" : family === "IPv6" ? `[${address}]` : address;
  return `http://${shown}:${taken}`;
}
