import closeWithGrace from "close-with-grace";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Socket } from "node:net";
import { HttpProblem, sendProblem } from "./problems.ts";
import type { HttpService } from "./service.ts";

/** What became of the requests that a server took. */
export interface Tally {
  /** Requests whose header fields were read. */
  readonly taken: number;
  /** Those whose answer was written whole, a refusal included. */
  readonly answered: number;
  /** Those whose client went away first, or that did not end within the grace. */
  readonly abandoned: number;
}

const stopping = new HttpProblem(503, "stopping", "The server is stopping.", { retryAfterSeconds: 5 });

/**
 * Makes a server able to stop without losing a request that it took.
 *
 * Node's own `close` waits for connections that sent half a request, and stops looking at their time limit; it also leaves a
 * connection open whose last answer said keep-alive. So the requests in flight are counted here by connection, and those whose
 * body has not arrived are refused when the stop begins. A handler that streams its body has begun, and goes on.
 */
export function followConnections(app: FastifyInstance) {
  const requestsOn = new Map<Socket, number>();
  const arriving = new Map<FastifyRequest, FastifyReply>();
  let [taken, answered] = [0, 0];
  let isStopping = false;

  app.server.on("connection", (socket: Socket) => {
    requestsOn.set(socket, 0);
    socket.once("close", () => requestsOn.delete(socket));
  });
  app.addHook("onRequest", (request, reply, done) => {
    const { socket } = request.raw;
    taken += 1;
    requestsOn.set(socket, (requestsOn.get(socket) ?? 0) + 1);
    arriving.set(request, reply);
    reply.raw.once("close", () => {
      arriving.delete(request);
      if (reply.raw.writableFinished) answered += 1;
      const left = (requestsOn.get(socket) ?? 1) - 1;
      if (requestsOn.has(socket)) requestsOn.set(socket, left);
      if (isStopping && left === 0) socket.destroySoon();
    });
    done(isStopping ? stopping : undefined);
  });
  // After the body was read, or left to the handler.
  app.addHook("preValidation", (request, _reply, done) => {
    arriving.delete(request);
    done();
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (isStopping) reply.header("connection", "close");
    done(null, payload);
  });

  return {
    isStopping: () => isStopping,
    /** Refuses requests that are new or half sent, waits for those taken, and closes what is left after the grace. */
    stop: async (graceMs: number): Promise<Tally> => {
      isStopping = true;
      const closed = app.close();
      for (const [socket, count] of requestsOn) if (count === 0) socket.destroy();
      for (const [request, reply] of arriving) {
        if (!request.raw.complete && !reply.sent) void sendProblem(request, reply, stopping);
      }
      const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
      return { taken, answered, abandoned: taken - answered };
    },
  };
}

/** What ends a server from outside; closeWithGrace listens for the signals of a crash. */
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Stops a service on SIGTERM, SIGINT and their like, or on an error that nobody caught, which it logs, and ends the process: 0 after a
 * signal. A second signal ends it at once.
 *
 * @param stop what ends with the service, too; it has the service's grace, after which the process ends with 1
 * @param echoMs a signal that follows so soon is the first one again: a terminal or a supervisor signals all processes of a command,
 *   and npx passes on to its child what it got itself
 */
export function stopOnSignals(
  service: HttpService,
  stop: () => Promise<unknown> = () => service.stop(),
  echoMs = 1000,
): void {
  let stoppingSinceMs: number | undefined;
  const grace = closeWithGrace(
    { delay: service.limits.graceMs + 5000, logger: false, skip: ["beforeExit", ...stopSignals] },
    async ({ err }) => {
      stoppingSinceMs = performance.now();
      if (err !== undefined) service.app.log.fatal({ err }, "stopping after a defect");
      await stop();
    },
  );
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (stoppingSinceMs === undefined) {
        void grace.close();
      } else if (performance.now() - stoppingSinceMs > echoMs) {
        process.exit(1);
      }
    });
  }
}
