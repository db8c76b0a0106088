import { METHODS } from "node:http";
import { expect, test } from "vitest";
import { bodyOf, exchange, startService } from "./support.ts";

const json = { "content-type": "application/json" };

test.each([
  ["an address that is not there", "GET", "/nothing", {}, undefined, 404, "not_found"],
  ["another method", "DELETE", "/things/1", {}, undefined, 405, "method"],
  ["another method with a body", "POST", "/things/1", { "content-type": "text/plain" }, "hello", 405, "method"],
  ["a body for nothing", "POST", "/nothing", json, "{", 404, "not_found"],
  [
    "a preflight, since no origin was named",
    "OPTIONS",
    "/echo",
    { origin: "http://evil.example" },
    undefined,
    405,
    "method",
  ],
  ["a body over the limit", "POST", "/echo", json, `"${"x".repeat(2000)}"`, 413, "body_too_large"],
  ["a long address", "GET", `/nothing?${"x".repeat(3000)}`, {}, undefined, 414, "url_too_long"],
  ["a long part of an address", "GET", `/things/${"x".repeat(3000)}`, {}, undefined, 414, "url_too_long"],
  ["text", "POST", "/echo", { "content-type": "text/plain" }, "hello", 415, "media_type"],
  ["a form", "POST", "/echo", { "content-type": "application/x-www-form-urlencoded" }, "a=b", 415, "media_type"],
  ["another charset", "POST", "/echo", { "content-type": "application/json; charset=latin1" }, "{}", 415, "charset"],
  ["a compressed body", "POST", "/echo", { ...json, "content-encoding": "gzip" }, "{}", 415, "content_encoding"],
  ["no JSON", "POST", "/echo", json, "{", 400, "invalid_json"],
  ["an empty body", "POST", "/echo", json, "", 400, "empty_body"],
  ["a key named __proto__", "POST", "/echo", json, '{"a":{"__proto__":{"b":1}}}', 400, "invalid_json"],
  ["a key named constructor.prototype", "POST", "/echo", json, '{"constructor":{"prototype":{}}}', 400, "invalid_json"],
  ["bytes that are no UTF-8", "POST", "/echo", json, new Uint8Array([0x22, 0xff, 0x22]), 400, "encoding"],
  ["a bad escape in the address", "GET", "/things/%E0%A4%A", {}, undefined, 400, "bad_url"],
  ["a defect", "GET", "/fails", {}, undefined, 500, "internal"],
  ["a full queue", "GET", "/busy", {}, undefined, 429, "queue_full"],
] as const)("%s is refused as problem+json", async (_, method, path, headers, body, status, code) => {
  const { address, lines } = await startService({ limits: { bodyBytes: 1000 } });
  const response = await fetch(address + path, { method, headers, body: body ?? null });
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem).toMatchObject({
    type: "about:blank",
    status,
    code,
    title: expect.any(String),
    detail: expect.any(String),
  });
  expect(response.status).toBe(status);
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
  if (status === 405) expect(response.headers.get("allow")).toMatch(/^[A-Z, ]+$/);
  if (status === 429) expect(response.headers.get("retry-after")).toBe("2");
  expect(lines.join("")).not.toContain("secret text");
});

test.skipIf(!METHODS.includes("QUERY"))("QUERY is refused by its method, with and without a Content-Type", async () => {
  const { address } = await startService();
  for (const headers of [{}, json]) {
    const response = await fetch(`${address}/healthz`, { method: "QUERY", headers });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  }
});

test.each([
  ["no HTTP", "hello\r\n\r\n", 400, "malformed"],
  [
    "two lengths",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    400,
    "malformed",
  ],
  [
    "a length beside chunks",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
    "malformed",
  ],
  [
    "header fields over the limit",
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
  ["no Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "host"],
  ["another site's Host", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421, "host"],
  ["a Host that is none", "GET /healthz HTTP/1.1\r\nHost: a@127.0.0.1\r\nConnection: close\r\n\r\n", 400, "host"],
  [
    "two Hosts",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    400,
    "host",
  ],
  [
    "an unknown expectation",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\nContent-Length: 9\r\n\r\n",
    417,
    "expectation",
  ],
  [
    "chunks over the limit",
    `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n${"1".repeat(2000)}\r\n`,
    413,
    "body_too_large",
  ],
])("%s is refused on the socket", async (_, bytes, status, code) => {
  const { port } = await startService({ limits: { bodyBytes: 1000 } });
  const answer = await exchange(port, bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer.toLowerCase()).toContain("content-type: application/problem+json");
  expect(bodyOf(answer)).toMatchObject({ status, code });
});

test("arrays nested a hundred thousand deep are an answer like any other", async () => {
  const { address } = await startService();
  const body = "[".repeat(100_000) + "]".repeat(100_000);
  const response = await fetch(`${address}/echo`, { method: "POST", headers: json, body });
  // The route itself cannot write so deep an answer; the process lives.
  expect([200, 400, 422, 500]).toContain(response.status);
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
});
