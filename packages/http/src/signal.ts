import type { FastifyReply } from "fastify";
import { HttpProblem } from "./problems.ts";

/**
 * A signal for a handler's work: it aborts when the client goes away, or was answered that the time is up. fastify's own
 * `request.signal` (5.12) aborts as soon as the body has been read.
 */
export function workSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(new HttpProblem(503, "gone", "The client went away."));
  if (reply.raw.destroyed) abort();
  else reply.raw.once("close", abort);
  return controller.signal;
}
