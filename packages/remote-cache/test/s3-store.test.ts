import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { cacheServer } from "../../cli/src/commands/cache-server.ts";
import { addToken, openS3Store } from "../src/server/index.ts";
import { startServer, temporaryFolder } from "./support/servers.ts";

/** Against moto, a real S3-compatible server in Python: `npm run test:cache`, after `pip install 'moto[server]'`. */
const python = process.env["BERTQA_TEST_PYTHON"] || "python3";
const body = Buffer.from("the bytes of a result");
const region = "us-east-1";
let moto: ReturnType<typeof spawn>;
let endpoint = "";
let client: S3Client;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("a bucket that cannot be reached is named in one line", async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const store = await openS3Store({ bucket: "results", prefix: "", endpoint: "http://127.0.0.1:1", region });
  onTestFinished(() => store.close());
  await expect(startServer({ store })).rejects.toThrow(
    /^cache-server: the bucket results cannot be listed: .*ECONNREFUSED/,
  );
});

test("a folder for temporary files that is not there is told in one line", async () => {
  vi.stubEnv("TMPDIR", "/dev/null/none");
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(openS3Store({ bucket: "results", prefix: "", endpoint: "http://127.0.0.1:1", region })).rejects.toThrow(
    /^cache-server: the folder for temporary files cannot be used: ENOTDIR\. Set TMPDIR/,
  );
});

test("a server that does not start leaves no folder for bodies", async () => {
  const folder = await temporaryFolder();
  const tokens = join(folder, "tokens.json");
  await addToken(tokens, { name: "main", scope: "write", namespace: "shared" });
  vi.stubEnv("TMPDIR", folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const place = { bucket: "results", prefix: "", endpoint: "http://127.0.0.1:1", region, tokens };
  const start = cacheServer({ ...place, host: "127.0.0.1", port: 0, maxSize: 2, maxEntry: 1 });
  await expect(start).rejects.toThrow(/cannot be listed/);
  expect(readdirSync(folder)).toEqual(["tokens.json"]);
});

describe.runIf(process.env["BERTQA_S3"] === "1")("the store in a bucket", () => {
  beforeAll(async () => {
    const port = await freePort();
    process.env["AWS_ACCESS_KEY_ID"] = "test";
    process.env["AWS_SECRET_ACCESS_KEY"] = "test";
    moto = spawn(python, ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    for await (const piece of moto.stderr!) {
      said += String(piece);
      if (said.includes("Running on")) break;
    }
    expect(said, "moto did not start: pip install 'moto[server]'").toContain("Running on");
    endpoint = `http://127.0.0.1:${port}`;
    client = new S3Client({ endpoint, region, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: "results" }));
  }, 60_000);

  afterAll(() => void moto?.kill());

  const start = async (prefix: string, mostBytes = 1e9) =>
    startServer({ store: await openS3Store({ bucket: "results", prefix, endpoint, region }), mostBytes });
  const put = (server: Awaited<ReturnType<typeof start>>, hash: string, name: string, content = body) =>
    server.call("PUT", hash, name, { body: new Uint8Array(content) });

  test("gives what was put, keeps what is there, holds namespaces apart, and outlives the server", async () => {
    const server = await start("a/");
    expect((await put(server, "1", "main")).status).toBe(200);
    expect((await put(server, "1", "main", Buffer.from("other"))).status).toBe(409);
    expect((await put(server, "2", "pr")).status).toBe(200);
    expect((await server.call("GET", "2", "main")).status).toBe(404);
    await server.stop();
    const next = await start("a/");
    expect(Buffer.from(await (await next.call("GET", "1", "reader")).arrayBuffer())).toEqual(body);
    expect((await next.call("GET", "2", "pr")).status).toBe(200);
  });

  test("two servers that write at once: the bucket takes the first", async () => {
    const [a, b] = [await start("b/"), await start("b/")];
    const statuses = (await Promise.all([put(a, "1", "main"), put(b, "1", "main")])).map((answer) => answer.status);
    expect(statuses.sort()).toEqual([200, 409]);
  });

  test("an object whose bytes changed is not given away, and is dropped", async () => {
    const server = await start("c/");
    await put(server, "1", "main");
    const at = { Bucket: "results", Key: "c/shared/1", Metadata: { sha256: "0".repeat(64) } };
    await client.send(new PutObjectCommand({ ...at, Body: "rotten" }));
    expect((await server.call("GET", "1", "reader")).status).toBe(404);
    expect((await put(server, "1", "main")).status).toBe(200);
    expect(await (await server.call("GET", "1", "reader")).text()).toBe(body.toString());
  });

  test("beyond the size the oldest object goes", async () => {
    const server = await start("d/", 25);
    await put(server, "1", "main");
    await put(server, "2", "main");
    expect((await server.call("HEAD", "1", "main")).status).toBe(404);
    expect((await server.call("HEAD", "2", "main")).status).toBe(200);
  });

  test("a large body goes through in pieces, and leaves no file", async () => {
    const server = await start("e/");
    const large = Buffer.alloc(30e6, 3);
    expect((await put(server, "1", "main", large)).status).toBe(200);
    const got = Buffer.from(await (await server.call("GET", "1", "reader")).arrayBuffer());
    expect(got.equals(large)).toBe(true);
    expect(readdirSync(join(server.folder))).toEqual([]);
  });
});
