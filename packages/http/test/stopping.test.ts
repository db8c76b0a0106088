import { execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { bodyOf, deferred, open, readAll, startService } from "./support.ts";

/** A service whose `/slow` answers when told. */
async function startSlow(limits = {}) {
  const begun = deferred<null>();
  const finish = deferred<string>();
  const started = await startService({ limits }, ({ app }) => {
    app.get("/slow", async () => {
      begun.resolve(null);
      return { text: await finish.promise };
    });
  });
  return { ...started, begun: begun.promise, finish: () => finish.resolve("whole") };
}

/** The same, with a request on its way to an answer. */
async function startAnswering() {
  const { service, port, begun, finish } = await startSlow();
  const socket = await open(port);
  const answer = readAll(socket);
  socket.write("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await begun;
  return { service, socket, answer, finish };
}

test("a stop finishes the request taken, and closes its connection", async () => {
  const { service, answer, finish } = await startAnswering();
  const stopped = service.stop();
  finish();
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*connection: close[^]*"text":"whole"/);
  expect(await stopped).toEqual({ taken: 1, answered: 1, abandoned: 0 });
});

test("connections without a request, and those with half of one, do not hold a stop up", async () => {
  const { service, port } = await startSlow();
  const idle = await open(port);
  const partial = await open(port);
  partial.write("GET /slow HTTP/1.1\r\nHost:");
  const kept = await open(port);
  kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(kept, "data");
  const ends = [idle, partial, kept].map(readAll);
  expect(await service.stop()).toEqual({ taken: 1, answered: 1, abandoned: 0 });
  await Promise.all(ends);
});

test("a request whose body has not arrived whole is refused with 503 when the stop begins, and holds nothing up", async () => {
  const { service, port, lines } = await startSlow({ handlerMs: 50_000, requestMs: 40_000 });
  const socket = await open(port);
  const answer = readAll(socket);
  socket.write(
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[1",
  );
  await once(service.app.server, "request");
  expect(await service.stop()).toEqual({ taken: 1, answered: 1, abandoned: 0 });
  const text = await answer;
  expect(text).toMatch(/^HTTP\/1\.1 503 [^]*connection: close/);
  expect(bodyOf(text)).toMatchObject({ status: 503, code: "stopping" });
  expect(lines.filter((line) => /"level":"(warn|error|fatal)"/.test(line))).toEqual([]);
});

test("a stop waits for a body that its handler streams", async () => {
  const begun = deferred<null>();
  const { service, port } = await startService({}, ({ app }) => {
    app.addContentTypeParser("application/octet-stream", (_request, _payload, done) => done(null));
    app.put("/blobs/:id", async (request) => {
      let bytes = 0;
      for await (const chunk of request.raw) {
        begun.resolve(null);
        bytes += (chunk as Buffer).length;
      }
      return { bytes };
    });
  });
  const socket = await open(port);
  const answer = readAll(socket);
  const head = "PUT /blobs/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n";
  socket.write(`${head}Content-Length: 4\r\n\r\nab`);
  await begun.promise;
  const stopped = service.stop();
  socket.write("cd");
  expect(await stopped).toEqual({ taken: 1, answered: 1, abandoned: 0 });
  expect(bodyOf(await answer)).toEqual({ bytes: 4 });
});

test("a request that comes on a busy connection while the server stops gets 503, after the first one's answer", async () => {
  const { service, socket, answer, finish } = await startAnswering();
  const stopped = service.stop();
  socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(service.app.server, "request");
  finish();
  const [first, second] = (await answer).split(/(?=HTTP\/1\.1 503)/) as [string, string];
  expect(first).toMatch(/^HTTP\/1\.1 200 /);
  // Either the first answer closed the connection, or the second says why there is none.
  if (second !== undefined) expect(bodyOf(second)).toMatchObject({ status: 503, code: "stopping" });
  await stopped;
});

test("after the grace what is left is closed", async () => {
  const { service, port, begun } = await startSlow({ graceMs: 100 });
  const socket = await open(port);
  const answer = readAll(socket);
  socket.write("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await begun;
  expect(await service.stop()).toEqual({ taken: 1, answered: 0, abandoned: 1 });
  expect(await answer).toBe("");
});

test("a stopped service says what became of its requests, and can be stopped again", async () => {
  const { service, address, lines } = await startSlow();
  await fetch(`${address}/healthz`);
  expect(await service.stop()).toBe(await service.stop());
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ msg: "stopped", taken: 1, answered: 1, abandoned: 0 });
});

async function startProcess(...argv: string[]) {
  const script = join(import.meta.dirname, "stopping-process.ts");
  const child = execFile(process.execPath, ["--import", "tsx", script, ...argv]);
  const exit = once(child, "exit");
  const [line] = (await once(child.stdout!, "data")) as [string];
  return { child, exit, address: line.trim() };
}

/** A server's process with a request on its way to an answer. */
async function startAnsweringProcess(...argv: string[]) {
  const { child, exit, address } = await startProcess(...argv);
  const asked = fetch(`${address}/slow`);
  await once(child.stdout!, "data"); // the request was taken
  return { child, exit, asked };
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s in the middle of a request: it is answered, and the process ends with 0",
  async (signal) => {
    const { child, exit, asked } = await startAnsweringProcess();
    child.kill(signal);
    expect(await (await asked).json()).toEqual({ text: "whole" });
    expect(await exit).toEqual([0, null]);
  },
);

test.each(["SIGTERM", "SIGINT"] as const)("%s and its echo, as under npx, are one: nothing is cut", async (signal) => {
  const { child, exit, asked } = await startAnsweringProcess("2", "1e9");
  child.kill(signal);
  await once(child.stdout!, "data"); // the stop has begun
  child.kill(signal);
  expect(await (await asked).json()).toEqual({ text: "whole" });
  expect(await exit).toEqual([0, null]);
});

test("a second signal that is no echo ends the process at once", async () => {
  const { child, exit, asked } = await startAnsweringProcess("never", "0");
  const cut = expect(asked).rejects.toThrow();
  child.kill("SIGTERM");
  await once(child.stdout!, "data");
  child.kill("SIGTERM");
  expect(await exit).toEqual([1, null]);
  await cut;
});

test("an error that nobody caught ends the process with 1, and its kind and place are logged, not its words", async () => {
  const { child, exit, address } = await startProcess();
  const log = text(child.stderr!);
  await fetch(`${address}/defect`);
  expect(await exit).toEqual([1, null]);
  expect(JSON.parse(await log)).toMatchObject({
    level: "fatal",
    msg: "stopping after a defect",
    err: { type: "TypeError" },
  });
  expect(await log).not.toContain("passage");
});
