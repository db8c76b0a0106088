import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyWorkspace, stages } from "./support/workspace-copy.ts";

/**
 * Two clones on one machine, which share a cache: what a second person of a team has. `BERTQA_TEST_BUCKET` (npm run test:cache)
 * takes a bucket of the S3-compatible server at `BERTQA_TEST_S3` instead of a folder.
 */
const bin = join(import.meta.dirname, "..", "packages", "bertqa", "bin", "bertqa.mjs");
const root = mkdtempSync(join(tmpdir(), "bertqa-two-clones-"));
const [first, second, third] = ["first", "second", "third"].map((name) => join(root, name)) as [string, string, string];
const tokens = join(root, "tokens.json");
const { BERTQA_TEST_BUCKET: bucket, BERTQA_TEST_S3: endpoint = "" } = process.env;
const store = bucket
  ? ["--bucket", bucket, "--endpoint", endpoint, "--region", "us-east-1"]
  : ["--folder", join(root, "cache")];
const server = { url: "", process: undefined as ReturnType<typeof spawn> | undefined };

async function bertqa(folder: string, words: string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [bin, ...words], {
    cwd: folder,
    env: { ...process.env, NX_DAEMON: "false", NX_TUI: "false", FORCE_COLOR: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number];
  return { stdout, stderr, code };
}

/** What became of each stage in a run behind the cache. */
async function evaluate(folder: string, token: string, url = server.url) {
  const { stdout, stderr, code } = await bertqa(folder, ["nx", "run", "tiny:evaluate", "--outputStyle=static"], {
    NX_SELF_HOSTED_REMOTE_CACHE_SERVER: url,
    NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: token,
  });
  const found = [...stdout.matchAll(/nx run tiny:(\w+)(?: {2}\[([^\]]*)\])?/g)];
  return {
    ...{ code, stderr },
    all: stdout + stderr,
    ran: stages.filter((stage) => found.some(([, name, from]) => name === stage && !from)),
    taken: stages.filter((stage) => found.some(([, name, from]) => name === stage && from === "remote cache")),
  };
}

const makeToken = async (name: string, scope: string) =>
  (await bertqa(root, ["cache-server", "token", name, "--scope", scope, "--tokens", tokens])).stdout.trim();
const token = { main: "", reader: "" };

beforeAll(async () => {
  for (const folder of [first, second, third]) {
    mkdirSync(folder);
    await copyWorkspace(folder);
  }
  token.main = await makeToken("main", "write");
  token.reader = await makeToken("reader", "read");
  const child = spawn(process.execPath, [bin, "cache-server", "--tokens", tokens, "--port", "0", ...store], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  server.process = child;
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  server.url = line.toString().trim();
}, 120_000);

afterAll(async () => {
  if (server.process?.kill("SIGTERM")) expect((await once(server.process, "exit"))[0]).toBe(0);
  rmSync(root, { recursive: true, force: true });
}, 60_000);

const five = stages.slice(0, 5);
const slow = { timeout: 240_000 };
const report = (folder: string) => readFileSync(join(folder, "artifacts", "tiny", "evaluate", "report.html"));

describe("a cache that two clones share", () => {
  test("the first clone runs every stage and sends what it made", slow, async () => {
    const run = await evaluate(first, token.main);
    expect([run.code, run.ran], run.all).toEqual([0, five]);
    expect(run.stderr).toMatch(/0 taken, 5 not there, 5 stored/);
  });

  test("the second, with a token that only reads, takes all of it and trains nothing", slow, async () => {
    const run = await evaluate(second, token.reader);
    expect([run.code, run.ran, run.taken], run.all).toEqual([0, [], five]);
    expect(report(second)).toEqual(report(first));
  });

  test.runIf(process.env["BERTQA_S3"] === "1")(
    "where the server is gone the third clone makes all of it, with one warning",
    slow,
    async () => {
      const run = await evaluate(third, token.main, "http://127.0.0.1:1");
      expect([run.code, run.ran], run.all).toEqual([0, five]);
      expect(run.stderr.match(/The run goes on without it/g)).toHaveLength(1);
      expect(readdirSync(join(third, "artifacts", "tiny")).length).toBeGreaterThanOrEqual(5);
    },
  );
});
