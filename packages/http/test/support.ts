import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { createHttpService, HttpProblem, type HttpService, type HttpServiceOptions } from "../src/index.ts";

/** A service with a few routes, stopped after the test. */
export async function startService(
  options: HttpServiceOptions = {},
  prepare: (service: HttpService) => void = () => {},
) {
  const lines: string[] = [];
  const service = await createHttpService({ logStream: { write: (line) => lines.push(line) }, ...options });
  const { app } = service;
  app.get("/things/:id", (request) => ({ id: (request.params as { id: string }).id }));
  app.put("/things/:id", { config: { scope: "write" } }, () => ({ done: true }));
  app.post("/echo", (request) => ({ got: request.body }));
  app.get("/fails", () => {
    throw new Error("the passage was: secret text");
  });
  app.get("/busy", () => {
    throw new HttpProblem(429, "queue_full", "Too many questions wait.", { retryAfterSeconds: 2 });
  });
  prepare(service);
  const address = await service.listen();
  onTestFinished(async () => void (await service.stop()));
  return { service, address, lines, port: Number(new URL(address).port) };
}

/** Sends bytes as they are, and gives all that comes back until the server closes. */
export async function exchange(port: number, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = await open(port);
  const answer = readAll(socket);
  for (const part of parts) socket.write(part);
  return answer;
}

export async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}

export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A reset after the answer is an end, too.
  await new Promise<void>((resolve) => socket.once("close", resolve).on("error", () => {}));
  return Buffer.concat(chunks).toString();
}

export function bodyOf(answer: string): Record<string, unknown> {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as Record<string, unknown>;
}

/** A promise to be settled from outside; Node 20 has no `Promise.withResolvers`. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  return { promise: new Promise<T>((settle) => (resolve = settle)), resolve };
}
