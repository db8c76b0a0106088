import { expect, test } from "vitest";
import { createHttpService, hashToken } from "../src/index.ts";
import { startService } from "./support.ts";

const writer = "writer-0123456789abcdefghij";
const reader = "reader-0123456789abcdefghij";
const tokens = [
  { sha256: hashToken(writer), scopes: ["write"] },
  { sha256: hashToken(reader), scopes: ["metrics"] },
];
const put = (address: string, authorization?: string) =>
  fetch(`${address}/things/1`, { method: "PUT", headers: authorization === undefined ? {} : { authorization } });

test("a route with a scope opens to a token of that scope alone", async () => {
  const { address } = await startService({ tokens });
  expect((await put(address, `Bearer ${writer}`)).status).toBe(200);
  expect((await put(address, `bearer   ${writer}`)).status).toBe(200);

  const missing = await put(address);
  expect([missing.status, missing.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="bertqa"']);
  for (const wrong of [
    `Bearer ${writer}x`,
    `Bearer ${writer.slice(1)}`,
    `Basic ${writer}`,
    "Bearer",
    `Bearer ${writer} x`,
  ]) {
    expect((await put(address, wrong)).status, wrong).toBe(401);
  }
  const narrow = await put(address, `Bearer ${reader}`);
  expect([narrow.status, narrow.headers.get("www-authenticate")]).toEqual([
    403,
    'Bearer realm="bertqa", error="insufficient_scope", scope="write"',
  ]);
});

test("without a token health is told, metrics are not", async () => {
  const { address } = await startService({ tokens });
  const status = async (path: string) => (await fetch(address + path)).status;
  expect([await status("/healthz"), await status("/readyz"), await status("/metrics")]).toEqual([200, 200, 401]);
});

test("a token is asked for before the body is read", async () => {
  const { address } = await startService({ tokens, limits: { bodyBytes: 10 } });
  const response = await fetch(`${address}/things/1`, { method: "PUT", body: "x".repeat(100) });
  expect(response.status).toBe(401);
});

test.each([
  ["short", "http: the token has 5 characters, expected 22 at least."],
  [`${writer} x`, "http: the token has characters that no bearer token may have."],
  [`${writer}\n`, "http: the token has characters that no bearer token may have."],
])("the token %j is refused without being repeated", (token, message) => {
  expect(() => hashToken(token)).toThrow(message);
});

test("a server without a token listens on loopback alone, unless told", async () => {
  const refusal = "http: 0.0.0.0 can be reached by others, and the server asks for no token.";
  await expect(createHttpService({ host: "0.0.0.0" })).rejects.toThrow(
    `${refusal} Give it a token (--token-file or BERTQA_TOKEN)`,
  );
  await expect(createHttpService({ host: "a.name.example" })).rejects.toThrow("can be reached by others");
  await createHttpService({ host: "0.0.0.0", tokens, logLevel: "silent" });
  await createHttpService({ host: "0.0.0.0", openToAll: true, logLevel: "silent" });
  const { address } = await startService({ host: "localhost" });
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test("a port that is taken is one line with a remedy", async () => {
  const { port } = await startService();
  await expect(startService({ port })).rejects.toThrow(
    `http: cannot listen on 127.0.0.1, port ${port}: EADDRINUSE. Give another --port or --host.`,
  );
});

test("pages of an origin that was named may call; others may not", async () => {
  const { address } = await startService({ corsOrigins: ["https://app.example"] });
  const allowed = async (origin: string) =>
    (await fetch(`${address}/things/1`, { headers: { origin } })).headers.get("access-control-allow-origin");
  expect(await allowed("https://app.example")).toBe("https://app.example");
  expect(await allowed("https://evil.example")).toBeNull();
});

test("a page of another origin may read when to come again; an OPTIONS that is no preflight is answered like one", async () => {
  const { address } = await startService({ corsOrigins: ["*"] });
  const { headers } = await fetch(`${address}/busy`, { headers: { origin: "https://app.example" } });
  expect(headers.get("access-control-expose-headers")).toBe("retry-after, x-request-id");
  const { status } = await fetch(`${address}/busy`, { method: "OPTIONS" });
  expect(status).toBe(204);
});

test.each([
  { corsOrigins: ["https://app.example/"] },
  { corsOrigins: ["https://App.example"] },
  { corsOrigins: ["https://app.example:443"] },
  { corsOrigins: ["app.example"] },
  { allowedHosts: ["app.example:8080"] },
  { allowedHosts: ["https://app.example"] },
  { allowedHosts: ["[::1]"] },
])("%j would let nobody in, and is refused", async (options) => {
  await expect(createHttpService(options)).rejects.toThrow(
    /^http: .+ is no (origin as browsers send it|host name)\. Give [^\n]+$/,
  );
});

test("origins and hosts as browsers send them are taken", async () => {
  const corsOrigins = ["*", "https://app.example", "http://localhost:5173", "http://[::1]:8080", "tauri://localhost"];
  await createHttpService({
    corsOrigins,
    allowedHosts: ["app.example", "192.0.2.7", "2001:db8::1"],
    logLevel: "silent",
  });
});

test("the log has route patterns, and nothing that a client sent", async () => {
  const { address, lines } = await startService({ tokens });
  const headers = { authorization: `Bearer ${writer}`, "x-secret": "secret-field", "content-type": "application/json" };
  await fetch(`${address}/things/secret-id?secret-query=1`, { headers });
  await fetch(`${address}/secret-path`, { headers });
  await fetch(`${address}/echo`, { method: "POST", headers, body: '{"context":"secret-passage"}' });
  await fetch(`${address}/echo`, { method: "POST", headers, body: '{"context":"secret-' });
  await fetch(`${address}/fails`, { headers });
  const log = lines.join("");
  expect(log).not.toMatch(/secret|writer/);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const answered = parsed.filter(({ msg }) => msg === "answered");
  expect(answered.map(({ route, statusCode }) => [route, statusCode])).toEqual([
    ["/things/:id", 200],
    ["none", 404],
    ["/echo", 200],
    ["/echo", 400],
    ["/fails", 500],
  ]);
  expect(parsed.find(({ msg }) => msg === "a request failed")).toMatchObject({
    err: { type: "Error", stack: expect.arrayContaining([expect.stringContaining("support.ts")]) },
  });
});

test("metrics are by route pattern, whatever paths and methods clients make up", async () => {
  const { address } = await startService();
  for (let i = 0; i < 5; i += 1) {
    await fetch(`${address}/things/${i}`);
    await fetch(`${address}/made-up-${i}`);
  }
  const text = await (await fetch(`${address}/metrics`)).text();
  expect(text).toContain('http_requests_total{method="GET",route="/things/:id",status="200"} 5');
  expect(text).toContain('http_requests_total{method="any",route="none",status="404"} 5');
  expect(text).toContain('http_request_duration_seconds_count{method="GET",route="/things/:id"} 5');
  expect(text).toContain("http_requests_in_flight 1");
  expect(text).not.toContain("made-up");
});
