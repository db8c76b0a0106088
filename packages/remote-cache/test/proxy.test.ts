import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { startCacheProxy, type CacheProxyOptions } from "../src/client/proxy.ts";
import type { Patience } from "../src/client/upstream.ts";
import { digestHeader } from "../src/names.ts";
import { spool } from "../src/scratch.ts";
import { archiveOf, artifactItems, sha256 } from "./support/archives.ts";
import { startServer, temporaryFolder, tokenOf } from "./support/servers.ts";

const weights = "weights, as many as a small model has";
const good = await archiveOf(artifactItems({ "model/model.safetensors": weights }));
// The times of a server that will never answer: any would do.
const patience = {
  ...{ connectMs: 200, silenceMs: 100, entryMs: 100 },
  ...{ slowestBytesPerSecond: 1e6, graceMs: 60, mostBytes: 1e8 },
};

async function startProxy(url: string, more: Partial<CacheProxyOptions> & { readonly name?: string } = {}) {
  const warnings: string[] = [];
  const { name = "main", ...options } = more;
  const proxy = await startCacheProxy({
    address: { url, token: tokenOf(name) },
    warn: (text) => void warnings.push(text),
    ...options,
  });
  const headers = { authorization: `Bearer ${proxy.token}`, "content-type": "application/octet-stream" };
  return {
    ...{ proxy, warnings },
    get: (hash: string) => fetch(`${proxy.url}/v1/cache/${hash}`, { headers }),
    put: (hash: string, content: Buffer) =>
      fetch(`${proxy.url}/v1/cache/${hash}`, { method: "PUT", headers, body: new Uint8Array(content) }),
  };
}

/** A server that does as the test says. */
async function startLiar(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test("what one run sends the next one takes, through the server, byte for byte", async () => {
  const server = await startServer();
  const first = await startProxy(server.url);
  expect((await first.get("11")).status).toBe(404);
  expect((await first.put("11", good)).status).toBe(200);
  await first.proxy.finish();
  expect(first.proxy.tally).toEqual({ taken: 0, missed: 1, stored: 1, failed: 0 });
  const second = await startProxy(server.url, { name: "reader" });
  const answer = await second.get("11");
  expect([answer.status, answer.headers.get("content-length")]).toEqual([200, String(good.length)]);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(good);
  await second.proxy.finish();
  expect([...first.warnings, ...second.warnings]).toEqual([]);
});

test("a token that reads only is told so once, without a warning, and sends no body at all", async () => {
  const server = await startServer();
  const { put, proxy, warnings } = await startProxy(server.url, { name: "reader" });
  expect((await put("1", good)).status).toBe(200);
  await proxy.finish();
  expect([proxy.tally.stored, warnings]).toEqual([0, []]);
  expect(server.log.join("")).not.toContain('"method":"PUT"');
});

const digest = { "repr-digest": digestHeader(sha256(good)) };
const whole = { ...digest, "content-length": String(good.length) };
const flipped = Buffer.from(good);
flipped[good.length >> 1]! ^= 1;
const send = (headers: Record<string, string>, body: Buffer) => (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(200, headers).end(body);
const status =
  (code: number, headers = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code, headers).end("no");

/** What a server can do to a run; whether it is asked again after that; what the one warning says. */
const lies: [
  string,
  (request: IncomingMessage, response: ServerResponse) => void,
  "once" | "again",
  RegExp,
  Patience?,
][] = [
  ["says nothing", () => {}, "once", /did not answer in time/, patience],
  ["hangs up", (request) => request.socket.destroy(), "once", /cannot be used/],
  ["answers 401", status(401), "once", /does not know the token \(401\)/],
  ["answers 403", status(403), "once", /lets the token read nothing \(403\)/],
  ["answers 500", status(500), "once", /answered 500/],
  ["redirects", status(302, { location: "http://127.0.0.1:9/" }), "once", /sends elsewhere \(302\)/],
  [
    "stalls in the middle",
    (_, response) => void response.writeHead(200, whole).write(good.subarray(0, 50)),
    "once",
    /went silent|bytes went over/,
    patience,
  ],
  [
    "drips a byte at a time",
    (_, response) => {
      response.writeHead(200, { "content-length": "100000" });
      const timer = setInterval(() => response.write("x"), 5);
      response.once("close", () => clearInterval(timer));
    },
    "once",
    /went silent|bytes went over/,
    patience,
  ],
  [
    "breaks off",
    (_, response) => {
      response.writeHead(200, whole);
      response.write(good.subarray(0, 50), () => response.destroy());
    },
    "again",
    /broke off/,
  ],
  [
    "says a wrong length",
    send({ ...digest, "content-length": String(good.length - 9) }, good.subarray(0, good.length - 9)),
    "again",
    /not those that the server meant/,
  ],
  ["says no length", send({ ...digest, "transfer-encoding": "chunked" }, good), "again", /how long it is/],
  ["sends more than any entry has", send({ "content-length": "999999999999" }, good), "again", /999999999999 bytes/],
  ["sends wrong bytes", send(whole, flipped), "again", /not those that the server meant/],
  [
    "sends wrong bytes and says nothing of their sha256",
    send({ "content-length": String(good.length) }, flipped),
    "again",
    /no whole tar\.gz/,
  ],
  [
    "sends bytes that are no archive, with the right sha256",
    send({ "repr-digest": digestHeader(sha256("<html>")), "content-length": "6" }, Buffer.from("<html>")),
    "again",
    /no whole tar\.gz/,
  ],
];

describe("a run goes on as if there were no cache, with one warning, where the server", () => {
  test.each(lies)("%s", async (_, answer, asked, warning, limits) => {
    const { url, requests } = await startLiar((request, response) => {
      if (request.method === "HEAD") response.writeHead(404).end();
      else answer(request, response);
    });
    const { get, put, proxy, warnings } = await startProxy(url, limits ? { patience: limits } : {});
    expect((await get("1")).status).toBe(404);
    expect((await get("2")).status).toBe(404);
    expect(requests.filter((line) => line.startsWith("GET")).length).toBe(asked === "once" ? 1 : 2);
    if (asked === "once") expect((await put("3", good)).status).toBe(200);
    await proxy.finish();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
    expect(warnings[0]).toMatch(/The run goes on/);
    expect(warnings[0]).not.toContain(tokenOf("main"));
  });

  test("takes connections and never answers: it is not waited for as long as for an entry", async () => {
    const { url, requests } = await startLiar(() => {});
    const { get, proxy, warnings } = await startProxy(url, { patience: { ...patience, entryMs: 1e8 } });
    expect((await get("1")).status).toBe(404);
    expect((await get("2")).status).toBe(404);
    await proxy.finish();
    expect([requests, warnings.length]).toEqual([["HEAD /v1/cache/1"], 1]);
    expect(warnings[0]).toMatch(/did not answer in time/);
  });

  test("is not there", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const { get, proxy, warnings } = await startProxy(`http://127.0.0.1:${port}`);
    expect((await get("1")).status).toBe(404);
    await proxy.finish();
    expect(warnings.join()).toMatch(/cannot be used: ECONNREFUSED/);
  });

  test.each([
    ["http://cache.example", /travel in the clear.*ssh -N/],
    ["ftp://cache.example", /no plain http or https address/],
    ["https://user:secret@cache.example", /no plain http or https address/],
  ])("has the address %s", async (url, warning) => {
    const { get, proxy, warnings } = await startProxy(url);
    expect((await get("1")).status).toBe(404);
    await proxy.finish();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
    expect(warnings[0]).not.toContain("secret");
  });

  test.each([401, 500, 503, 302])("answers %d to what is sent", async (code) => {
    const { url } = await startLiar((request, response) => {
      request.resume().once("end", () => response.writeHead(request.method === "PUT" ? code : 404).end());
    });
    const { put, proxy, warnings } = await startProxy(url);
    expect((await put("1", good)).status).toBe(200);
    await proxy.finish();
    expect([warnings.length, proxy.tally.stored]).toEqual([1, 0]);
  });

  test("takes what is sent and never answers", async () => {
    const { url } = await startLiar((request, response) => {
      if (request.method === "HEAD") response.writeHead(404).end();
      else request.resume();
    });
    const { put, proxy, warnings } = await startProxy(url, { patience });
    expect((await put("1", good)).status).toBe(200);
    await proxy.finish();
    expect(warnings.join()).toMatch(/did not answer in time|bytes went over/);
  });
});

describe("an archive is not handed to Nx where", () => {
  const files = { "model/model.safetensors": weights };
  const bad: [string, Buffer | Promise<Buffer>, RegExp][] = [
    [
      "a file of an artifact is not what its manifest says",
      archiveOf([
        ...artifactItems(files).slice(0, 1),
        { name: "artifacts/tiny/train/model/model.safetensors", content: weights.replace("small", "SMALL") },
      ]),
      /is not what its manifest says/,
    ],
    ["a file of an artifact is missing", archiveOf(artifactItems(files).slice(0, 1)), /is missing/],
    [
      "an artifact has no manifest",
      archiveOf(artifactItems(files).slice(1)),
      /artifacts\/tiny\/train\/ has no manifest/,
    ],
    [
      "an artifact holds a file that its manifest does not list",
      archiveOf([...artifactItems(files), { name: "artifacts/tiny/train/more", content: "x" }]),
      /not listed/,
    ],
    [
      "it holds a link",
      archiveOf([{ name: "artifacts/tiny/x", type: "symlink", linkname: "/etc/passwd" }]),
      /neither a regular file nor a folder/,
    ],
    ["a name leads elsewhere", archiveOf([{ name: "../../x", content: "x" }]), /leads elsewhere/],
    ["a name is absolute", archiveOf([{ name: "/etc/x", content: "x" }]), /leads elsewhere/],
    [
      "a name is there twice",
      archiveOf([
        { name: "a", content: "1" },
        { name: "a", content: "2" },
      ]),
      /twice/,
    ],
    ["its exit code is none", archiveOf([], { code: Buffer.alloc(3) }), /exit code is not 4 bytes/],
    [
      "a manifest is none",
      archiveOf([{ name: "artifacts/tiny/train/manifest.json", content: '{"kind":"x\\u001b[2J"}' }]),
      /is no manifest/,
    ],
  ];

  test.each(bad)("%s; nor is it ever sent", async (_, archive, warning) => {
    const content = await archive;
    const server = await startServer();
    await server.call("PUT", "1", "main", { body: new Uint8Array(content) });
    const taking = await startProxy(server.url);
    expect((await taking.get("1")).status).toBe(404);
    await taking.proxy.finish();
    const sending = await startProxy(server.url);
    expect((await sending.put("2", content)).status).toBe(200);
    await sending.proxy.finish();
    expect((await server.call("HEAD", "2", "main")).status).toBe(404);
    for (const { warnings } of [taking, sending]) {
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(warning);
      expect(warnings[0]).not.toMatch(/\p{Cc}/u);
    }
  });
});

test("two machines make one hash with other contents: the first's stands, and the second is told of nothing", async () => {
  const server = await startServer();
  const [first, second] = [await startProxy(server.url), await startProxy(server.url)];
  const other = await archiveOf(artifactItems({ "model/model.safetensors": `${weights} on another processor` }));
  // Both look before either has made it.
  expect([(await first.get("7")).status, (await second.get("7")).status]).toEqual([404, 404]);
  await first.put("7", good);
  await first.proxy.finish();
  expect((await second.put("7", other)).status).toBe(200);
  await second.proxy.finish();
  expect([first.proxy.tally.stored, second.proxy.tally]).toEqual([1, { taken: 0, missed: 1, stored: 0, failed: 0 }]);
  expect([...first.warnings, ...second.warnings]).toEqual([]);
  expect((await server.call("PUT", "7", "main", { body: new Uint8Array(other) })).status).toBe(409);
  expect(Buffer.from(await (await server.call("GET", "7", "main")).arrayBuffer())).toEqual(good);
});

test.each(["GET", "PUT"])(
  "a server that is silent while it reads or stores an entry (%s) is waited for longer",
  async (method) => {
    const held = new EventEmitter();
    const { url } = await startLiar((request, response) => {
      if (request.method === "HEAD") return void response.writeHead(404).end();
      request.resume().once("end", () => {
        held.once("go on", () =>
          response.writeHead(200, method === "GET" ? whole : {}).end(method === "GET" ? good : ""),
        );
        held.emit("held");
      });
    });
    const silent = await startLiar(() => {});
    const limits = { patience: { ...patience, entryMs: 1e8, graceMs: 1e8 } };
    const [working, never] = [await startProxy(url, limits), await startProxy(silent.url, limits)];
    const isHeld = once(held, "held");
    const answer = method === "GET" ? working.get("1") : working.put("1", good);
    await isHeld;
    // The time for the other's silence is over, and with it that for the silence here, which is older.
    expect((await never.get("1")).status).toBe(404);
    held.emit("go on");
    expect((await answer).status).toBe(200);
    await Promise.all([working.proxy.finish(), never.proxy.finish()]);
    expect([working.warnings, working.proxy.tally.failed, never.warnings.length]).toEqual([[], 0, 1]);
  },
);

test("a 409 to what is sent, where another was faster after the look: no warning, and the server is asked again", async () => {
  const { url, requests } = await startLiar((request, response) => {
    request.resume().once("end", () => response.writeHead(request.method === "PUT" ? 409 : 404).end());
  });
  const { get, put, proxy, warnings } = await startProxy(url);
  expect((await put("1", good)).status).toBe(200);
  expect((await put("2", good)).status).toBe(200);
  expect((await get("3")).status).toBe(404);
  await proxy.finish();
  expect([proxy.tally, warnings]).toEqual([{ taken: 0, missed: 1, stored: 0, failed: 0 }, []]);
  expect(requests.filter((line) => line.startsWith("PUT"))).toHaveLength(2);
});

test("an entry that was stored damaged stands until its operator removes it, as the warning says, from a server that runs", async () => {
  const server = await startServer();
  const [first, second] = artifactItems({ "model/model.safetensors": weights });
  const bad = await archiveOf([first!, { ...second!, content: weights.replace("small", "SMALL") }]);
  await server.call("PUT", "8", "main", { body: new Uint8Array(bad) });
  const refusing = await startProxy(server.url);
  expect((await refusing.get("8")).status).toBe(404);
  await refusing.put("8", good);
  await refusing.proxy.finish();
  expect(refusing.proxy.tally).toEqual({ taken: 0, missed: 1, stored: 0, failed: 1 });
  const [, command] = /(rm -r FOLDER\S+)/.exec(refusing.warnings.join()) ?? [];
  execFileSync("sh", ["-c", command!.replace("FOLDER", server.folder)]);
  const healing = await startProxy(server.url);
  expect((await healing.get("8")).status).toBe(404);
  await healing.put("8", good);
  await healing.proxy.finish();
  expect([healing.proxy.tally.stored, healing.warnings]).toEqual([1, []]);
  expect(Buffer.from(await (await server.call("GET", "8", "main")).arrayBuffer())).toEqual(good);
});

test("an entry that a stage found damaged is not taken again", async () => {
  const server = await startServer();
  await server.call("PUT", "5", "main", { body: new Uint8Array(good) });
  const droppedFolder = join(await temporaryFolder(), "dropped");
  await mkdir(droppedFolder);
  await writeFile(join(droppedFolder, "5"), "");
  const { get, proxy } = await startProxy(server.url, { droppedFolder });
  expect((await get("5")).status).toBe(404);
  await proxy.finish();
});

test("who has not the run's own token gets nothing, and the real token is not that one", async () => {
  const server = await startServer();
  await server.call("PUT", "5", "main", { body: new Uint8Array(good) });
  const { proxy } = await startProxy(server.url);
  expect((await fetch(`${proxy.url}/v1/cache/5`)).status).toBe(401);
  const headers = { authorization: `Bearer ${tokenOf("main")}` };
  expect((await fetch(`${proxy.url}/v1/cache/5`, { headers })).status).toBe(401);
  await proxy.finish();
});

test("a server on loopback, a tunnel's end too, is reached past the environment's proxy, which would read the token", async () => {
  const server = await startServer();
  await server.call("PUT", "5", "main", { body: new Uint8Array(good) });
  const asked: string[] = [];
  const elsewhere = createServer().on("connect", ({ url }, socket) => {
    asked.push(`CONNECT ${url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await once(elsewhere.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void elsewhere.close());
  const port = (elsewhere.address() as AddressInfo).port;
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of ["http_proxy", "HTTP_PROXY"]) vi.stubEnv(name, `http://127.0.0.1:${port}`);
  for (const name of ["no_proxy", "NO_PROXY"]) vi.stubEnv(name, undefined);
  for (const url of [server.url, server.url.replace("127.0.0.1", "localhost")]) {
    const { get, proxy, warnings } = await startProxy(url);
    expect([(await get("5")).status, warnings]).toEqual([200, []]);
    await proxy.finish();
  }
  expect(asked).toEqual([]);
});

test("a folder for temporary files that is not there is told in one line", async () => {
  vi.stubEnv("TMPDIR", "/dev/null/none");
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(startProxy("http://127.0.0.1:1")).rejects.toThrow(
    /^nx: the folder for temporary files cannot be used: ENOTDIR\. Set TMPDIR/,
  );
});

test("nothing is left in the temporary folder, and results that cannot be sent in time are given up", async () => {
  const { url } = await startLiar((request, response) => {
    if (request.method === "HEAD") response.writeHead(404).end();
  });
  const folder = await temporaryFolder();
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  const { put, proxy, warnings } = await startProxy(url, {
    finishMs: 50,
  }).finally(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  await put("1", good);
  expect(await readdir(folder)).toHaveLength(1);
  await proxy.finish();
  expect(warnings.join()).toMatch(/not sent within/);
  expect(await readdir(folder)).toEqual([]);
});

describe("a result that is still coming does not hold up", () => {
  /** A proxy that is receiving an entry whose end never comes, and Nx's request for it. */
  async function startReceiving() {
    const { url, requests } = await startLiar(({ method }, response) => {
      response.writeHead(200, whole);
      if (method === "HEAD") response.end();
      else response.write(good.subarray(0, 50));
    });
    const started = await startProxy(url, { patience: { ...patience, silenceMs: 1e8, graceMs: 1e8 } });
    const aborter = new AbortController();
    const headers = { authorization: `Bearer ${started.proxy.token}` };
    const asked = fetch(`${started.proxy.url}/v1/cache/1`, { headers, signal: aborter.signal });
    while (!requests.some((line) => line.startsWith("GET"))) await new Promise(setImmediate);
    return { ...started, asked, leave: () => aborter.abort(), requests };
  }

  test("a run that is ended by a signal, and nothing more is taken", async () => {
    const { proxy, asked, get, warnings, requests } = await startReceiving();
    proxy.abandon();
    expect((await asked).status).toBe(404);
    expect((await get("2")).status).toBe(404);
    await proxy.finish();
    expect([warnings, proxy.tally.failed]).toEqual([[], 0]);
    expect(requests).toEqual(["HEAD /v1/cache/1", "GET /v1/cache/1"]);
  });

  test("a run whose Nx is gone", async () => {
    const { proxy, asked, leave, warnings } = await startReceiving();
    leave();
    await expect(asked).rejects.toThrow(/abort/);
    await proxy.finish();
    expect([warnings, proxy.tally.failed]).toEqual([[], 0]);
  });
});

test("a body that breaks off while its file is being opened is an error of that body, not of the process", async () => {
  const body = new PassThrough();
  const spooled = spool(body, await temporaryFolder(), 10);
  body.destroy(new Error("gone"));
  await expect(spooled).rejects.toThrow("gone");
});

test("an answer that is being read when the run ends is given whole", async () => {
  const server = await startServer();
  const large = await archiveOf(artifactItems({ "model/model.safetensors": randomBytes(8e6).toString("base64") }));
  const first = await startProxy(server.url);
  await first.put("11", large);
  await first.proxy.finish();
  const second = await startProxy(server.url, { name: "reader" });
  const answer = await second.get("11");
  const finished = second.proxy.finish();
  expect(Buffer.from(await answer.arrayBuffer()).equals(large)).toBe(true);
  await finished;
  expect(second.warnings).toEqual([]);
});
