import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { defaultPatience } from "../src/client/upstream.ts";
import { createCacheServer, openFolderStore } from "../src/server/index.ts";
import { sha256 } from "./support/archives.ts";
import { startServer, temporaryFolder, tokenOf, type TestServer } from "./support/servers.ts";

const body = Buffer.from("the bytes of a result");
const put = (server: TestServer, hash: string, name: string, content = body) =>
  server.call("PUT", hash, name, { body: new Uint8Array(content) });
const textOf = async (answer: Response) => `${answer.status} ${(await answer.text()).trim()}`;

test("what was put is got, byte for byte, with its length and sha256", async () => {
  const server = await startServer();
  expect(await textOf(await put(server, "123", "main"))).toBe("200 stored");
  const answer = await server.call("GET", "123", "reader");
  expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  expect(answer.headers.get("content-length")).toBe(String(body.length));
  const base64 = Buffer.from(sha256(body), "hex").toString("base64");
  expect(answer.headers.get("repr-digest")).toBe(`sha-256=:${base64}:`);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(body);
});

test("HEAD tells whether an entry is there, and what the token may do", async () => {
  const server = await startServer();
  await put(server, "123", "main");
  expect((await server.call("HEAD", "123", "reader")).status).toBe(200);
  const absent = await server.call("HEAD", "124", "reader");
  expect([absent.status, absent.headers.get("allow")]).toEqual([404, "GET, HEAD"]);
  expect((await server.call("HEAD", "124", "pr")).headers.get("allow")).toBe("GET, HEAD, PUT");
});

test("the statuses of Nx's protocol: 404, 409, 403 for a token that reads only, 401 as text/plain to the letter", async () => {
  const server = await startServer();
  expect((await server.call("GET", "1", "main")).status).toBe(404);
  await put(server, "1", "main");
  expect((await put(server, "1", "main", Buffer.from("other bytes"))).status).toBe(409);
  expect((await put(server, "2", "reader")).status).toBe(403);
  const unknown = await server.call("GET", "1", "nobody");
  expect([unknown.status, unknown.headers.get("content-type")]).toEqual([401, "text/plain"]);
  expect((await fetch(`${server.url}/v1/cache/1`)).status).toBe(401);
  expect(Buffer.from(await (await server.call("GET", "1", "main")).arrayBuffer())).toEqual(body);
});

test("a refused body is read to its end, so that Nx's client reads the answer and not a broken connection", async () => {
  const server = await startServer();
  const large = Buffer.alloc(20e6, 7);
  expect(await textOf(await put(server, "5", "reader", large))).toMatch(/^403 /);
  await put(server, "5", "main");
  expect(await textOf(await put(server, "5", "main", large))).toMatch(/^409 /);
});

test.each(["..%2f..%2fetc%2fpasswd", "%00", "1.2", "A1", "g", "", "1".repeat(65), "con"])(
  "the hash %j names nothing",
  async (hash) => {
    const server = await startServer();
    expect([400, 404, 405]).toContain((await put(server, hash, "main")).status);
    const entries = readdirSync(join(server.folder, "entries"), { recursive: true });
    expect(entries).toEqual([]);
  },
);

test.each(["main", "reader"])("a body that says that it is JSON is refused, and ends nothing: %s", async (name) => {
  const server = await startServer();
  const headers = { "content-type": "application/json" };
  const answer = await server.call("PUT", "3", name, { body: '{"a":1}', headers });
  expect(answer.status).toBe(415);
  expect(server.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test("a body of another sha256 than its Repr-Digest says is refused, and so is a digest that cannot be read", async () => {
  const server = await startServer();
  const wrong = `sha-256=:${Buffer.from(sha256("else"), "hex").toString("base64")}:`;
  for (const digest of [wrong, "sha-256=:short:"]) {
    const answer = await server.call("PUT", "9", "main", { body, headers: { "repr-digest": digest } });
    expect(answer.status).toBe(400);
  }
  expect((await server.call("GET", "9", "main")).status).toBe(404);
});

describe("a body's length", () => {
  const raw = (server: TestServer, headers: Record<string, string>) =>
    request(`${server.url}/v1/cache/77`, {
      method: "PUT",
      headers: { authorization: `Bearer ${tokenOf("main")}`, "content-type": "application/octet-stream", ...headers },
    });

  test("must be said: 411 without Content-Length", async () => {
    const server = await startServer();
    const sending = raw(server, { "transfer-encoding": "chunked" });
    sending.on("error", () => {}).end("x");
    const [answer] = await once(sending, "response");
    expect(answer.statusCode).toBe(411);
  });

  test("is limited: 413 before a byte of it is read", async () => {
    const server = await startServer({ mostEntryBytes: 100 });
    const sending = raw(server, { "content-length": "101" });
    sending.on("error", () => {}).flushHeaders();
    const [answer] = await once(sending, "response");
    expect(answer.statusCode).toBe(413);
    sending.destroy();
  });

  test("is kept: a body that breaks off leaves nothing behind", async () => {
    const server = await startServer();
    const sending = raw(server, { "content-length": "1000" });
    const socket = new Promise<void>((resolve) => sending.on("error", () => resolve()));
    sending.write("half");
    while (readdirSync(join(server.folder, "incoming")).length === 0) await new Promise(setImmediate);
    sending.destroy(new Error("cut"));
    await socket;
    while (readdirSync(join(server.folder, "incoming")).length > 0) await new Promise(setImmediate);
    expect((await server.call("GET", "77", "main")).status).toBe(404);
  });

  test("and pace: bytes that drip are given up, and no file is left", async () => {
    const server = await startServer({ pace: { slowestBytesPerSecond: 1e6, graceMs: 50 } });
    const sending = raw(server, { "content-length": "1000" });
    sending.on("error", () => {}).write("a");
    const [answer] = await once(sending, "response");
    expect(answer.statusCode).toBe(408);
    expect(readdirSync(join(server.folder, "incoming"))).toEqual([]);
    sending.destroy();
  });
});

describe("an entry whose bytes changed on the disk", () => {
  const damage = (server: TestServer, hash: string) => {
    const folder = join(server.folder, "entries", "shared", hash);
    writeFileSync(join(folder, readdirSync(folder)[0] as string), "rotten bytes, as many");
  };

  test("is not given away: the answer is 404, and the next writer may put it anew", async () => {
    const server = await startServer();
    await put(server, "123", "main");
    damage(server, "123");
    expect((await server.call("GET", "123", "reader")).status).toBe(404);
    expect(server.log.join("")).toMatch(/dropped a damaged entry/);
    expect((await put(server, "123", "main")).status).toBe(200);
    expect(Buffer.from(await (await server.call("GET", "123", "reader")).arrayBuffer())).toEqual(body);
  });
});

test("entries outlive the server, whole; what a killed one had half received is gone", async () => {
  const folder = await temporaryFolder();
  const first = await startServer({ folder });
  await put(first, "123", "main");
  await first.stop();
  writeFileSync(join(folder, "incoming", "half"), "half a result");
  const second = await startServer({ folder });
  expect(existsSync(join(folder, "incoming", "half"))).toBe(false);
  expect((await second.call("GET", "123", "reader")).status).toBe(200);
});

test("two servers do not share a folder", async () => {
  const { folder } = await startServer();
  await expect(openFolderStore(folder)).rejects.toThrow(/another run of cache-server/);
});

test("a folder that holds other things is left as it is, and a file is no folder", async () => {
  const folder = await temporaryFolder();
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "incoming"));
  const file = join(folder, "incoming", "letter.txt");
  writeFileSync(file, "not ours");
  await expect(openFolderStore(folder)).rejects.toThrow(/^cache-server: the folder holds other things \(incoming …\)/);
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(["incoming", "incoming/letter.txt"]);
  expect(statSync(folder).mode & 0o777).toBe(0o755);
  await expect(openFolderStore(file)).rejects.toThrow(/^cache-server: a file lies where a folder has to be/);
  await expect(openFolderStore(join(file, "cache"))).rejects.toThrow(/^cache-server: /);
});

test("two writers at once: one is the first, the other learns that it is not, and one entry stands", async () => {
  const server = await startServer();
  const answers = await Promise.all(["a", "b", "c", "d"].map((text) => put(server, "42", "main", Buffer.from(text))));
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409, 409, 409]);
  const first = ["a", "b", "c", "d"][answers.findIndex((answer) => answer.status === 200)];
  expect(await (await server.call("GET", "42", "main")).text()).toBe(first);
  expect(readdirSync(join(server.folder, "incoming"))).toEqual([]);
});

test("beyond the size the longest unused entry goes; one that was read lately stays", async () => {
  const server = await startServer({ mostBytes: 250 });
  const hundred = Buffer.alloc(100, 1);
  await put(server, "1", "main", hundred);
  await put(server, "2", "main", hundred);
  await server.call("GET", "1", "reader").then((answer) => answer.arrayBuffer());
  await put(server, "3", "main", hundred);
  const statuses = await Promise.all(
    ["1", "2", "3"].map(async (hash) => (await server.call("HEAD", hash, "main")).status),
  );
  expect(statuses).toEqual([200, 404, 200]);
});

test("behind a reverse proxy that keeps the Host field the server answers to the name that it was given, and to no other", async () => {
  const server = await startServer({ allowedHosts: ["cache.example.org"] });
  await put(server, "123", "main");
  const statusFor = async (host: string) => {
    const headers = { host, authorization: `Bearer ${tokenOf("reader")}` };
    const [answer] = await once(request(`${server.url}/v1/cache/123`, { headers }).end(), "response");
    answer.resume();
    return answer.statusCode;
  };
  expect(await statusFor("cache.example.org")).toBe(200);
  expect(await statusFor("localhost:8787")).toBe(200);
  expect(await statusFor("elsewhere.example.org")).toBe(421);
});

test("metrics want a token and count; probes want none", async () => {
  const server = await startServer();
  await put(server, "1", "main");
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  const headers = { authorization: `Bearer ${tokenOf("reader")}` };
  const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
  expect(text).toContain('bertqa_cache_requests_total{operation="put",result="stored"} 1');
  expect(text).toMatch(/^bertqa_cache_bytes 21$/m);
});

test("the log names who did what, and holds no token", async () => {
  const server = await startServer();
  await put(server, "1", "main");
  await server.call("GET", "1", "nobody");
  const log = server.log.join("");
  expect(log).toContain('"token":"main"');
  for (const name of ["main", "nobody"]) expect(log).not.toContain(tokenOf(name));
  expect(log).not.toMatch(/bearer/i);
});

test("a connection lives longer than a client waits for an entry that is being read", async () => {
  const store = await openFolderStore(await temporaryFolder());
  const service = await createCacheServer({ store, grants: async () => [], mostBytes: 1, mostEntryBytes: 1 });
  expect(service.limits.idleMs).toBeGreaterThan(defaultPatience.entryMs);
  await service.stop();
});

test("a stop lets an upload that was taken end, and keeps it", async () => {
  const folder = await temporaryFolder();
  const server = await startServer({ folder });
  const sending = request(`${server.url}/v1/cache/8`, {
    method: "PUT",
    headers: {
      authorization: `Bearer ${tokenOf("main")}`,
      "content-type": "application/octet-stream",
      "content-length": "8",
    },
  });
  sending.write("half");
  while (readdirSync(join(folder, "incoming")).length === 0) await new Promise(setImmediate);
  const stopped = server.stop();
  sending.end("half");
  const [answer] = await once(sending, "response");
  expect(answer.statusCode).toBe(200);
  await stopped;
  const entry = join(folder, "entries", "shared", "8");
  expect(readFileSync(join(entry, readdirSync(entry)[0] as string), "utf8")).toBe("halfhalf");
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  const [error] = await once(socket, "error");
  expect(error.code).toBe("ECONNREFUSED");
});
