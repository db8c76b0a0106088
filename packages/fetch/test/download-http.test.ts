import { sha256Of } from "@bertqa/core";
import { existsSync } from "node:fs";
import { chmod, link, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer as createRawServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { mayRedirect } from "../src/download-http.ts";
import { fetchFiles } from "../src/download.ts";
import type { FetchEnvironment } from "../src/environment.ts";
import type { FetchSet, Pin } from "../src/plan.ts";
import {
  pinOf,
  recordingReporter,
  serve,
  startServer,
  temporaryFolder,
  testEnvironment,
  writeFiles,
} from "./support.ts";

/** 1,000,000 bytes that repeat nowhere near, so that a part in the wrong place shows. */
const content = Buffer.from(Array.from({ length: 250_000 }, (_, i) => String(i % 10_000).padStart(4, "0")).join(""));
const pin = pinOf(content);

function fileAt(url: string, pinned: Pin = pin, toHub = false): FetchSet {
  return {
    title: "dev",
    sources: [{ label: url, files: [{ kind: "http", name: "dev.json", url, pin: pinned, toHub }], required: [] }],
  };
}

async function download(set: FetchSet, environment: FetchEnvironment) {
  const reporter = recordingReporter();
  const files = await fetchFiles(set, "fetch.json", environment, reporter);
  return { path: files.get("dev.json")?.path as string, lines: reporter.lines };
}

/** Sends the first `count` bytes of the rest that was asked for, then cuts the connection. */
function cutAfter(response: ServerResponse, count: number, headers: Record<string, string> = {}) {
  response.writeHead(200, { "content-length": content.length, ...headers });
  response.write(content.subarray(0, count), () => response.socket?.destroy());
}

function sendRange(request: IncomingMessage, response: ServerResponse, headers: Record<string, string> = {}) {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1]);
  const range = `bytes ${start}-${content.length - 1}/${content.length}`;
  response.writeHead(206, { "content-range": range, "content-length": content.length - start, ...headers });
  response.end(content.subarray(start));
}

/** A server that answers one request after the other, each its own way, and keeps what it was asked. */
async function script(...answers: ((request: IncomingMessage, response: ServerResponse) => unknown)[]) {
  const asked: IncomingMessage["headers"][] = [];
  const origin = await serve((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request.headers);
    answer?.(request, response);
  });
  return { url: `${origin}/dev.json`, asked };
}

/** The address of a port on which nothing listens. */
async function closedServer(): Promise<string> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return `http://127.0.0.1:${port}`;
}

const sendAll = (_: IncomingMessage, response: ServerResponse) => response.end(content);
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(code, headers).end();

test("a download that was cut in the middle is resumed where it was", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script((_, response) => cutAfter(response, 300_000), sendRange);
  const { path, lines } = await download(fileAt(url), environment);
  expect(sha256Of(await readFile(path))).toBe(pin.sha256);
  expect(asked).toHaveLength(2);
  // The socket is destroyed after the bytes were flushed; how many of them arrive is up to the kernel.
  expect(asked[1]?.range).toMatch(/^bytes=\d+-$/);
  expect(lines.filter((line) => line.endsWith("trying again"))).toHaveLength(1);
});

test("a server that knows no ranges sends it all again, and nothing is doubled", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script((_, response) => cutAfter(response, 300_000), sendAll);
  const { path } = await download(fileAt(url), environment);
  expect((await readFile(path)).equals(content)).toBe(true);
  expect(asked[1]?.range).toBeDefined();
});

test("what another run left is resumed, and dropped where it does not fit, as where the server's file has changed", async () => {
  const folder = await temporaryFolder();
  const environment = testEnvironment(folder);
  const part = `cache/downloads/${pin.sha256}.part`;
  await writeFiles(folder, { [part]: content.subarray(0, 400_000) });
  const { url, asked } = await script(sendRange);
  await download(fileAt(url), environment);
  expect(asked.map((headers) => headers.range)).toEqual(["bytes=400000-"]);

  const other = testEnvironment(await temporaryFolder());
  await writeFiles(join(other.downloadsFolder), { [`${pin.sha256}.part`]: Buffer.alloc(400_000, "x") });
  const second = await script((request, response) =>
    request.headers.range ? sendRange(request, response) : sendAll(request, response),
  );
  const { path, lines } = await download(fileAt(second.url), other);
  expect((await readFile(path)).equals(content)).toBe(true);
  expect(second.asked.map((headers) => headers.range)).toEqual(["bytes=400000-", undefined]);
  expect(lines.join("\n")).toContain("downloading it once more from the start");
});

test("a part that was written to a moment ago is left to its writer, an old one is taken over", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const [fresh, old] = [`${pin.sha256}.part-aaa`, `${pin.sha256}.part-bbb`];
  await writeFiles(environment.downloadsFolder, {
    [fresh]: content.subarray(0, 500_000),
    [old]: content.subarray(0, 9),
  });
  await utimes(join(environment.downloadsFolder, old), 0, 0);
  const { url, asked } = await script(sendRange);
  await download(fileAt(url), environment);
  expect(asked[0]?.range).toBe("bytes=9-");
  expect((await readdir(environment.downloadsFolder)).sort()).toEqual([pin.sha256, fresh].sort());
});

test("503 and 429 are tried again, Retry-After honoured", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script(status(503), status(429, { "retry-after": "0" }), sendAll);
  const { lines } = await download(fileAt(url), environment);
  expect(asked).toHaveLength(3);
  expect(lines.slice(1)).toEqual([
    "dev.json: got 503 Service Unavailable; trying again",
    "dev.json: got 429 Too Many Requests; trying again",
  ]);
});

test("a server that asks to wait an hour is given up at once", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script(status(429, { "retry-after": "3600" }));
  await expect(download(fileAt(url), environment)).rejects.toThrow(
    `fetch: cannot get dev from ${url}: got 429 Too Many Requests, which asks to wait 1 h 0 min.`,
  );
  expect(asked).toHaveLength(1);
});

test("retries come to an end, and 404 is not tried again", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const down = await script(status(500));
  await expect(download(fileAt(down.url), environment)).rejects.toThrow("got 500 Internal Server Error");
  expect(down.asked).toHaveLength(1 + environment.retry.retries);
  const gone = await script(status(404));
  await expect(download(fileAt(gone.url), environment)).rejects.toThrow("got 404 Not Found");
  expect(gone.asked).toHaveLength(1);
});

test("a download that stays truncated names what was got and expected, and keeps the part", async () => {
  const environment = testEnvironment(await temporaryFolder());
  // Sent in chunks, without content-length: the short answer ends without an error.
  const { url } = await script((_, response) => {
    response.write(content.subarray(0, 5_000));
    response.end();
  });
  await expect(download(fileAt(url), environment)).rejects.toThrow(`the answer ended after 5000 of ${pin.bytes} bytes`);
  expect(await readdir(environment.downloadsFolder)).toEqual([`${pin.sha256}.part`]);
});

test("another size is refused before it is downloaded, a longer answer as soon as it is too long", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url } = await script(sendAll);
  const smaller = { ...pin, bytes: 10 };
  await expect(download(fileAt(url, smaller), environment)).rejects.toThrow("got 1000000 bytes offered, expected 10");
  const endless = await script((_, response) => response.writeHead(200).write(content));
  await expect(download(fileAt(endless.url, smaller), environment)).rejects.toThrow("more than the expected 10 bytes");
});

test("a checksum that differs is an error with both sums, and leaves nothing behind", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url } = await script(sendAll);
  const wrong = { ...pin, sha256: "0".repeat(64) };
  await expect(download(fileAt(url, wrong), environment)).rejects.toThrow(
    `${url} has sha256 ${pin.sha256}, expected ${wrong.sha256}`,
  );
  expect(await readdir(environment.downloadsFolder)).toEqual([]);
});

test("a verified file is not downloaded again; a damaged one in the cache is", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script(sendAll);
  const { path } = await download(fileAt(url), environment);
  await download(fileAt(url), environment);
  expect(asked).toHaveLength(1);
  await writeFiles(environment.downloadsFolder, { [pin.sha256]: Buffer.alloc(pin.bytes) });
  const { lines } = await download(fileAt(url), environment);
  expect(lines[0]).toContain(`removed ${path} from the download cache: it has sha256`);
  expect(asked).toHaveLength(2);
});

test("a server that falls silent is given up after the idle timeout", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const impatient = { ...environment, retry: { ...environment.retry, idleTimeoutMs: 50, retries: 1 } };
  const { url, asked } = await script((_, response) => response.writeHead(200).write(content.subarray(0, 10)));
  await expect(download(fileAt(url), impatient)).rejects.toThrow(/timeout/i);
  expect(asked).toHaveLength(2);
});

test("a server that sends a byte now and then is given up for its speed", async () => {
  const environment = testEnvironment(await temporaryFolder());
  // 2 bytes in more than 50 ms are 40 bytes/s at the most.
  const impatient = {
    ...environment,
    retry: { ...environment.retry, idleTimeoutMs: 50, retries: 0, slowestBytesPerSecond: 1000 },
  };
  const { url } = await script((_, response) => {
    response.writeHead(200).write("a");
    const drip = setInterval(() => response.write("b"), 20);
    response.on("close", () => clearInterval(drip));
  });
  await expect(download(fileAt(url), impatient)).rejects.toThrow(/the answer came at \d+ bytes\/s only/);
});

test("a token with a line break and an endpoint with a password are refused without being shown", async () => {
  const reading = (variables: NodeJS.ProcessEnv) => () => testEnvironment("/tmp", variables);
  expect(reading({ HF_TOKEN: "hf_SECRET\nx" })).toThrow(/^fetch: HF_TOKEN holds a line break(?!.*SECRET)/);
  expect(reading({ HF_ENDPOINT: "https://me:SECRET@host" })).toThrow(/^fetch: HF_ENDPOINT cannot be used(?!.*SECRET)/);
});

test("a host that does not answer gets two tries, one without a name none again, then the next source has its turn", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url } = await script(sendAll);
  // ".invalid" never resolves (RFC 6761); the port of a server that was closed refuses.
  const refusing = `${await closedServer()}/dev.json`;
  const labels = ["http://host.invalid/dev.json", refusing, url];
  const sources = labels.flatMap((label) => fileAt(label).sources);
  const reporter = recordingReporter();
  await fetchFiles({ title: "dev", sources }, "fetch.json", environment, reporter);
  const tried = reporter.lines.filter((line) => !line.startsWith("downloading"));
  expect(tried).toEqual([
    expect.stringMatching(/^http:\/\/host.invalid\/dev.json: getaddrinfo .*; trying /),
    expect.stringMatching(/^dev.json: .*ECONNREFUSED.*; trying again$/),
    expect.stringMatching(/^http:.*ECONNREFUSED.*; trying http/),
  ]);
});

test("where no source gives the file, the error names each with its reason", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const [first, second] = [await script(status(404)), await script(status(403))];
  const sources = [...fileAt(first.url).sources, ...fileAt(second.url).sources];
  await expect(fetchFiles({ title: "dev", sources }, "p/fetch.json", environment, recordingReporter())).rejects.toThrow(
    `fetch: no source gave dev: (1) ${first.url}: got 404 Not Found; (2) ${second.url}: got 403 Forbidden; a private repository needs HF_TOKEN. ` +
      "Check the network (HTTPS_PROXY, HF_ENDPOINT), or add a source to dataset.dev.sources. (p/fetch.json)",
  );
});

test("HF_TOKEN goes to the hub alone: not across a redirect to another host, not to other sources", async () => {
  const environment = testEnvironment(await temporaryFolder(), { HF_TOKEN: "hf_secret" });
  const store = await script(sendAll);
  const hub = await script(status(302, { location: store.url }));
  await download(fileAt(hub.url, pin, true), environment);
  expect(hub.asked[0]?.authorization).toBe("Bearer hf_secret");
  expect(store.asked[0]?.authorization).toBeUndefined();

  const other = testEnvironment(await temporaryFolder(), { HF_TOKEN: "hf_secret" });
  const plain = await script(sendAll);
  await download(fileAt(plain.url), other);
  expect(plain.asked[0]?.authorization).toBeUndefined();
});

test("a redirect to plain http on another machine is refused", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url } = await script(status(302, { location: "http://host.invalid/dev.json" }));
  await expect(download(fileAt(url), environment)).rejects.toThrow(
    `${url}: it redirects to http://host.invalid, expected https (plain http only on this machine)`,
  );
});

test.each([
  ["https://hub.example/f", "https://store.example", true],
  ["https://hub.example/f", "http://store.example", false],
  ["https://hub.example/f", "http://hub.example", false],
  // A server elsewhere has no business with the servers of this machine.
  ["https://hub.example/f", "http://127.0.0.1:8080", false],
  ["http://127.0.0.1:8080/f", "http://127.0.0.1:9090", true],
  ["http://127.0.0.1:8080/f", "http://store.example", false],
  ["http://127.0.0.1:8080/f", "https://store.example", true],
])("%s may send on to %s: %s", (asked, to, may) => {
  expect(mayRedirect(new URL(asked), new URL(to))).toBe(may);
});

test("redirects without an end are given up, and nothing is left", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url, asked } = await script((request, response) =>
    response.writeHead(302, { location: `${request.url}x` }).end(),
  );
  await expect(download(fileAt(url), environment)).rejects.toThrow(/redirect count exceeded/);
  expect(asked.length).toBeLessThanOrEqual(21);
  expect(await readdir(environment.downloadsFolder)).toEqual([]);
});

test("a server that takes the request and never answers is given up after the idle timeout", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const impatient = { ...environment, retry: { ...environment.retry, idleTimeoutMs: 50, retries: 1 } };
  const { url, asked } = await script(() => {});
  await expect(download(fileAt(url), impatient)).rejects.toThrow(/Headers Timeout/);
  expect(asked).toHaveLength(2);
});

test("wrong bytes of the right length are refused, and not kept", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const wrong = Buffer.from(content).fill("x", 500_000, 500_001);
  const { url } = await script((_, response) => response.end(wrong));
  await expect(download(fileAt(url), environment)).rejects.toThrow(
    `${url} has sha256 ${sha256Of(wrong)}, expected ${pin.sha256}. Check its bytes and sha256 in fetch.json`,
  );
  expect(await readdir(environment.downloadsFolder)).toEqual([]);
});

test.each([
  [
    "a length that is shorter than what it sends",
    { "content-length": String(content.length - 5) },
    /offered, expected/,
  ],
  ["a length that is no number", { "content-length": "12x" }, /Content-Length|content-length/i],
  ["gzip that is none", { "content-encoding": "gzip" }, /incorrect header check|terminated/],
])("a server that names %s is refused in one line", async (_, headers, message) => {
  const environment = testEnvironment(await temporaryFolder());
  const server = createRawServer((socket) => {
    socket.on("error", () => {}); // the client goes away in the middle
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join("")}connection: close\r\n\r\n`), content]));
  });
  const url = `${await startServer(server)}/dev.json`;
  await expect(download(fileAt(url), environment)).rejects.toThrow(message);
  expect(existsSync(join(environment.downloadsFolder, pin.sha256))).toBe(false);
});

test("a range that lies about where it starts is refused", async () => {
  const environment = testEnvironment(await temporaryFolder());
  const { url } = await script(
    (_, response) => cutAfter(response, 100_000),
    (_, response) =>
      response.writeHead(206, { "content-range": `bytes 7-${content.length - 1}/${content.length}` }).end("x"),
  );
  await expect(download(fileAt(url), environment)).rejects.toThrow(
    /asked for bytes from \d+, got content-range "bytes 7-/,
  );
});

test("a link where a part would lie is not followed: what it leads to stays as it was", async () => {
  const folder = await temporaryFolder();
  const environment = testEnvironment(folder);
  await mkdir(environment.downloadsFolder, { recursive: true });
  const victim = join(folder, "victim");
  await writeFile(victim, "photos");
  const { url } = await script(sendAll);
  for (const plant of [symlink, link]) {
    await plant(victim, join(environment.downloadsFolder, `${pin.sha256}.part`));
    const { path } = await download(fileAt(url), environment);
    expect((await readFile(path)).equals(content)).toBe(true);
    expect(await readFile(victim, "utf8")).toBe("photos");
    await rm(path);
  }
});

test.skipIf(process.platform === "win32")(
  "others' right to write goes from the folder of downloads and from the one above it, where it could be replaced",
  async () => {
    const environment = testEnvironment(await temporaryFolder());
    await mkdir(environment.downloadsFolder, { recursive: true });
    const folders = [environment.downloadsFolder, dirname(environment.downloadsFolder)];
    for (const folder of folders) await chmod(folder, 0o777);
    const { url } = await script(sendAll);
    await download(fileAt(url), environment);
    for (const folder of folders) expect((await stat(folder)).mode & 0o022).toBe(0);
  },
);

test("HTTP_PROXY is used, and NO_PROXY lets a host pass it by", async () => {
  const tunnels: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    tunnels.push(request.url ?? "");
    const [host, port] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on("error", () => upstream.destroy());
  });
  const HTTP_PROXY = await startServer(proxy);
  const { url } = await script(sendAll);
  const folder = await temporaryFolder();
  await download(fileAt(url), testEnvironment(folder, { HTTP_PROXY }));
  expect(tunnels).toEqual([new URL(url).host]);
  await download(fileAt(url), testEnvironment(await temporaryFolder(), { HTTP_PROXY, NO_PROXY: "127.0.0.1" }));
  expect(tunnels).toHaveLength(1);
  expect(existsSync(join(folder, "cache/downloads", pin.sha256))).toBe(true);
});
