import type { FastifyInstance, FastifyRequest } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Route of a request for labels: its pattern, never its path, so that clients cannot make series. */
export function routeOf(request: FastifyRequest): string {
  return request.is404 ? "none" : (request.routeOptions.url ?? "none");
}

/**
 * Counts and times of requests, and of connections, with prom-client.
 *
 * @returns the registry, for the service's own metrics; it belongs to this server alone
 */
export function observeRequests(app: FastifyInstance): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const total = new Counter({
    name: "http_requests_total",
    help: "Requests answered, by route pattern and status",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from a request's header fields to the end of its answer",
    labelNames: ["method", "route"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const inFlight = new Gauge({ name: "http_requests_in_flight", help: "Requests without an answer yet", registers });
  const gone = new Counter({
    name: "http_requests_abandoned_total",
    help: "Requests whose client went away before the end of the answer",
    labelNames: ["route"],
    registers,
  });
  new Gauge({
    name: "http_connections",
    help: "Open connections",
    registers,
    collect() {
      return new Promise<void>((resolve) => {
        app.server.getConnections((_error, count) => {
          this.set(count ?? 0);
          resolve();
        });
      });
    },
  });
  const dropped = new Counter({
    name: "http_connections_dropped_total",
    help: "Connections closed at once because there were too many",
    registers,
  });
  app.server.on("drop", () => dropped.inc());

  app.addHook("onRequest", (request, reply, done) => {
    inFlight.inc();
    const method = request.is404 ? "any" : request.method;
    const stop = seconds.startTimer({ method, route: routeOf(request) });
    reply.raw.once("close", () => {
      inFlight.dec();
      stop();
      if (!reply.raw.writableFinished) return gone.inc({ route: routeOf(request) });
      total.inc({ method, route: routeOf(request), status: reply.raw.statusCode });
    });
    done();
  });
  return registry;
}
