import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyWorkspace, stages } from "./support/workspace-copy.ts";

/**
 * Clones on one machine which share a cache: what the people of a team have. `npm test` goes as far as tokenize, and
 * `npm run test:cache` trains, too. `BERTQA_TEST_BUCKET` takes a bucket of the S3-compatible server at `BERTQA_TEST_S3` instead of
 * a folder. The tests build on each other, in order.
 */
const isFull = process.env["BERTQA_S3"] === "1";
const last = isFull ? "evaluate" : "tokenize";
const made = stages.slice(0, stages.indexOf(last) + 1);
const bin = join(import.meta.dirname, "..", "packages", "bertqa", "bin", "bertqa.mjs");
const root = mkdtempSync(join(tmpdir(), "bertqa-two-clones-"));
const [first, second, third] = ["first", "second", "third"].map((name) => join(root, name)) as [string, string, string];
const tokens = join(root, "tokens.json");
const { BERTQA_TEST_BUCKET: bucket, BERTQA_TEST_S3: endpoint = "" } = process.env;
const store = bucket
  ? ["--bucket", bucket, "--endpoint", endpoint, "--region", "us-east-1"]
  : ["--folder", join(root, "cache")];
const servers: ReturnType<typeof spawn>[] = [];
const token = { main: "", reader: "" };
let url = "";

async function node(script: string, folder: string, words: string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [script, ...words], {
    cwd: folder,
    env: { ...process.env, NX_DAEMON: "false", NX_TUI: "false", FORCE_COLOR: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number];
  return { stdout, stderr, code };
}

interface CachedRun {
  readonly url?: string;
  readonly stage?: string;
  /** Without our proxy between. */
  readonly plainNx?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
}

/** What became of each stage in a run behind the cache. */
async function runStages(folder: string, as: string, { stage = last, plainNx, ...more }: CachedRun = {}) {
  const [script, words] = plainNx ? [join(folder, "node_modules", "nx", "dist", "bin", "nx.js"), []] : [bin, ["nx"]];
  const { stdout, stderr, code } = await node(
    script,
    folder,
    [...words, "run", `tiny:${stage}`, "--outputStyle=static"],
    {
      NX_SELF_HOSTED_REMOTE_CACHE_SERVER: more.url ?? url,
      NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: as,
      ...more.environment,
    },
  );
  const found = [...stdout.matchAll(/nx run tiny:(\w+)(?: {2}\[([^\]]*)\])?/g)];
  return {
    ...{ code, stderr },
    all: stdout + stderr,
    ran: stages.filter((stage) => found.some(([, name, from]) => name === stage && !from)),
    taken: stages.filter((stage) => found.some(([, name, from]) => name === stage && from === "remote cache")),
  };
}

async function startServer(where: string[]): Promise<string> {
  const child = spawn(process.execPath, [bin, "cache-server", "--tokens", tokens, "--port", "0", ...where], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  servers.push(child);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return line.toString().trim();
}

const makeToken = async (name: string, scope: string) =>
  (await node(bin, root, ["cache-server", "token", name, "--scope", scope, "--tokens", tokens])).stdout.trim();

beforeAll(async () => {
  for (const folder of isFull ? [first, second, third] : [first, second]) {
    mkdirSync(folder);
    await copyWorkspace(folder);
  }
  token.main = await makeToken("main", "write");
  token.reader = await makeToken("reader", "read");
  url = await startServer(store);
}, 120_000);

afterAll(async () => {
  for (const server of servers) {
    if (server.kill("SIGTERM")) expect((await once(server, "exit"))[0]).toBe(0);
  }
  rmSync(root, { recursive: true, force: true });
}, 60_000);

const slow = { timeout: 240_000 };
const artifact = (folder: string, ...path: string[]) => join(folder, "artifacts", "tiny", ...path);
const manifestOf = (folder: string, stage: string) =>
  JSON.parse(readFileSync(artifact(folder, stage, "manifest.json"), "utf8")) as {
    readonly kind: string;
    readonly contentSha256: string;
    readonly inputs: Readonly<Record<string, string>>;
  };
const contentsOf = (folder: string) => made.map((stage) => manifestOf(folder, stage).contentSha256);
const modelOf = (folder: string) => manifestOf(folder, "train").contentSha256;

/** Each artifact was made from those that lie beside it: an input's slot bears the name of its kind. */
function expectOneLineage(folder: string): void {
  const manifests = made.map((stage) => manifestOf(folder, stage));
  const contents = Object.fromEntries(manifests.map(({ kind, contentSha256 }) => [kind, contentSha256]));
  for (const { kind, inputs } of manifests) {
    expect(Object.keys(inputs).length > 0, kind).toBe(kind !== "dataset");
    for (const [slot, sha256] of Object.entries(inputs)) expect(sha256, `${kind} from ${slot}`).toBe(contents[slot]);
  }
}

function forgetCache(folder: string): void {
  for (const name of [".nx", "artifacts"]) rmSync(join(folder, name), { recursive: true, force: true });
}

describe("a cache that two clones share", () => {
  test("the first clone runs every stage and sends what it made", slow, async () => {
    const run = await runStages(first, token.main);
    expect([run.code, run.ran], run.all).toEqual([0, made]);
    expect(run.stderr).toContain(`0 taken, ${made.length} not there, ${made.length} stored`);
  });

  test("the second, with a token that only reads, takes all of it and makes nothing", slow, async () => {
    const run = await runStages(second, token.reader);
    expect([run.code, run.ran, run.taken], run.all).toEqual([0, [], made]);
    expect(contentsOf(second)).toEqual(contentsOf(first));
    if (isFull)
      expect(readFileSync(artifact(second, "evaluate", "report.html"))).toEqual(
        readFileSync(artifact(first, "evaluate", "report.html")),
      );
  });
});

/** oneDNN without AVX: float32 is summed in another order, as on an older processor. In no stage's hash, as no processor is. */
const olderProcessor = { ONEDNN_MAX_CPU_ISA: "SSE41" };

describe.runIf(isFull)("a clone on a machine whose model comes out otherwise under the same hash", () => {
  let own = "";

  test("makes its own where the server is gone, with one warning", slow, async () => {
    const run = await runStages(third, token.main, {
      ...{ stage: "train", url: "http://127.0.0.1:1", environment: olderProcessor },
    });
    expect([run.code, run.ran], run.all).toEqual([0, ["fetch", "tokenize", "train"]]);
    expect(run.stderr.match(/The run goes on without it/g)).toHaveLength(1);
    own = modelOf(third);
    expect(own).not.toBe(modelOf(first));
  });

  test(
    "goes on with its own: predict and evaluate are made from that, and nothing of the first's is taken",
    slow,
    async () => {
      const run = await runStages(third, token.main, { environment: olderProcessor });
      expect([run.code, run.ran, run.taken], run.all).toEqual([0, ["predict", "evaluate"], []]);
      expect(run.stderr).toContain("0 taken, 2 not there, 2 stored");
      expect(modelOf(third)).toBe(own);
      expectOneLineage(third);
    },
  );

  test(
    "trains again although the server has the hash: the first's stands there, and nobody is told",
    slow,
    async () => {
      const hash = readdirSync(join(third, ".nx", "cache")).find((entry) =>
        existsSync(join(third, ".nx", "cache", entry, "artifacts", "tiny", "train", "manifest.json")),
      );
      forgetCache(third);
      // As if the first had sent it after this clone looked.
      mkdirSync(join(third, ".nx", "bertqa-dropped"), { recursive: true });
      writeFileSync(join(third, ".nx", "bertqa-dropped", hash!), "");
      const run = await runStages(third, token.main, { environment: olderProcessor });
      expect([run.code, run.ran], run.all).toEqual([0, ["train"]]);
      expect(run.stderr).toContain("4 taken, 1 not there, 0 stored\n");
      expect(run.stderr).not.toMatch(/cannot|was not sent|The run goes on/);
      expect(modelOf(third)).toBe(own);
      expectOneLineage(third);
    },
  );

  test("takes the first's model and all that was made from it, once it has none of its own", slow, async () => {
    forgetCache(third);
    const run = await runStages(third, token.main, { environment: olderProcessor });
    expect([run.code, run.ran, run.taken], run.all).toEqual([0, [], made]);
    expect(contentsOf(third)).toEqual(contentsOf(first));
    expectOneLineage(third);
  });
});

/** A server whose one entry is the first clone's fetch with a word changed: whole for the server, and not what its manifest says. */
async function startDamagedServer(folder: string): Promise<{ url: string; hash: string }> {
  const cache = join(first, ".nx", "cache");
  const data = join("artifacts", "tiny", "fetch", "dev.json");
  const hash = readdirSync(cache).find((entry) => existsSync(join(cache, entry, data))) ?? "";
  const headers = { authorization: `Bearer ${token.main}`, "content-type": "application/octet-stream" };
  const whole = await fetch(`${url}/v1/cache/${hash}`, { headers });
  const unpacked = join(root, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", "-", "-C", unpacked], { input: Buffer.from(await whole.arrayBuffer()) });
  const path = join(unpacked, data);
  writeFileSync(path, readFileSync(path, "utf8").replace("baker", "maker"));
  const body = execFileSync("tar", ["-czf", "-", "-C", unpacked, "code", "terminalOutput", "artifacts"]);
  const at = await startServer(["--folder", folder]);
  const answer = await fetch(`${at}/v1/cache/${hash}`, { method: "PUT", headers, body: new Uint8Array(body) });
  expect(answer.status).toBe(200);
  return { url: at, hash };
}

describe.runIf(isFull)("an entry that was stored damaged", () => {
  const folder = join(root, "damaged");
  const stage = "tokenize";
  let server = { url: "", hash: "" };

  test("taken by plain Nx, is found by the next stage, which drops it and says so in one line", slow, async () => {
    server = await startDamagedServer(folder);
    forgetCache(second);
    const run = await runStages(second, token.main, { stage, url: server.url, plainNx: true });
    expect([run.code, run.taken], run.all).toEqual([1, ["fetch"]]);
    expect(run.all).toMatch(/fetch\/dev\.json has sha256 .*Run the fetch stage again/);
    expect(run.all.match(new RegExp(`dropped the damaged entry ${server.hash} from Nx's cache.*`, "g"))).toHaveLength(
      1,
    );
    expect(readdirSync(join(second, ".nx", "bertqa-dropped"))).toEqual([server.hash]);
  });

  test("is not taken again by bertqa nx, which makes it new", slow, async () => {
    const run = await runStages(second, token.main, { stage, url: server.url });
    expect([run.code, run.ran], run.all).toEqual([0, ["fetch", "tokenize"]]);
    expect(run.stderr).toContain("0 taken, 2 not there, 1 stored\n");
    expect(manifestOf(second, "tokenize")).toEqual(manifestOf(first, "tokenize"));
    expect(readFileSync(artifact(second, "fetch", "dev.json"))).toEqual(
      readFileSync(artifact(first, "fetch", "dev.json")),
    );
  });

  test(
    "is refused in a clone that never saw it, with one warning; its operator removes it as that says, and it heals",
    slow,
    async () => {
      forgetCache(third);
      const refusing = await runStages(third, token.main, { stage, url: server.url });
      expect([refusing.code, refusing.ran, refusing.taken], refusing.all).toEqual([0, ["fetch"], ["tokenize"]]);
      const [, command] = /is not what its manifest says.*(rm -r FOLDER\S+)/.exec(refusing.stderr) ?? [];
      execFileSync("sh", ["-c", command!.replace("FOLDER", folder)]);
      forgetCache(third);
      const healing = await runStages(third, token.main, { stage, url: server.url });
      expect([healing.code, healing.ran], healing.all).toEqual([0, ["fetch"]]);
      expect(healing.stderr).toContain("1 taken, 1 not there, 1 stored\n");
      expect(manifestOf(third, "fetch")).toEqual(manifestOf(first, "fetch"));
    },
  );
});
