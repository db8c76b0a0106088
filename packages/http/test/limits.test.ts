import { once } from "node:events";
import { expect, test } from "vitest";
import { workSignal } from "../src/index.ts";
import { bodyOf, deferred, exchange, open, readAll, startService } from "./support.ts";

const short = { headersMs: 200, requestMs: 400, handlerMs: 600, idleMs: 800, keepAliveMs: 300, graceMs: 500 };

test.each([
  ["a client that sends half its header fields", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"],
  ["a connection on which nothing comes", ""],
  [
    "a client that sends half its body",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[1",
  ],
])("%s gets 408, and its connection is closed", async (_, bytes) => {
  const { port } = await startService({ limits: short });
  const answer = await exchange(port, bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(bodyOf(answer)).toMatchObject({ status: 408, code: "request_timeout" });
});

test("a connection that stays half open after its answer is closed", async () => {
  const { port } = await startService({ limits: short });
  // The client's side of the connection stays open: the answer ends because the server closes.
  expect(await exchange(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
});

test("connections over the limit are closed at once and counted; those before go on", async () => {
  const { port, address } = await startService({ limits: { connections: 2 } });
  const first = await open(port);
  const second = await open(port);
  const third = await open(port);
  expect(await readAll(third)).toBe("");
  second.destroy();
  await once(second, "close");
  first.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  expect(await readAll(first)).toContain("http_connections_dropped_total 1");
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
});

test.each([
  ["GET", undefined],
  ["POST", "{}"],
])("a handler of %s that takes too long is answered with 503, and told to stop", async (method, body) => {
  let stopped: Promise<unknown> | undefined;
  const { address } = await startService({ limits: short }, ({ app }) => {
    app.route({
      method,
      url: "/slow",
      handler: async (_request, reply) => {
        stopped = once(workSignal(reply), "abort");
        await stopped;
        return "late";
      },
    });
  });
  const response = await fetch(`${address}/slow`, {
    method,
    ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
  });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: "timeout" });
  expect(response.headers.get("retry-after")).toBe("1");
  await stopped;
});

test("a client that goes away aborts the work of its request, and not before", async () => {
  const begun = deferred<AbortSignal>();
  const { address } = await startService({}, ({ app }) => {
    app.post("/slow", async (_request, reply) => {
      const signal = workSignal(reply);
      begun.resolve(signal);
      await once(signal, "abort");
      return "nobody reads this";
    });
  });
  const client = new AbortController();
  const headers = { "content-type": "application/json" };
  const asked = fetch(`${address}/slow`, { method: "POST", headers, body: "{}", signal: client.signal });
  const signal = await begun.promise;
  // Reading the body to its end is no going away.
  await fetch(`${address}/healthz`);
  expect(signal.aborted).toBe(false);
  client.abort();
  await expect(asked).rejects.toThrow();
  if (!signal.aborted) await once(signal, "abort");
});

test("a body can be streamed by a route, past the limit for bodies that are read whole", async () => {
  const { address } = await startService({ limits: { bodyBytes: 10 } }, ({ app }) => {
    app.addContentTypeParser("application/octet-stream", (_request, _payload, done) => done(null));
    app.put("/blobs/:id", async (request) => {
      let bytes = 0;
      for await (const chunk of request.raw) bytes += (chunk as Buffer).length;
      return { bytes };
    });
  });
  const headers = { "content-type": "application/octet-stream" };
  const response = await fetch(`${address}/blobs/1`, { method: "PUT", headers, body: new Uint8Array(300_000) });
  expect(await response.json()).toEqual({ bytes: 300_000 });
});

test("limits that contradict each other are refused", async () => {
  await expect(startService({ limits: { handlerMs: 5000, idleMs: 5000 } })).rejects.toThrow(
    "http: idleMs 5000 would close a connection before its answer may come, after handlerMs 5000.",
  );
  await expect(startService({ limits: { headersMs: 5000, requestMs: 4000 } })).rejects.toThrow(
    "http: headersMs 5000 is",
  );
});
