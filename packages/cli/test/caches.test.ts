import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { mkdir, open, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { pruneCaches, surveyCaches } from "../src/caches.ts";

const program = fileURLToPath(new URL("../../bertqa/bin/bertqa.mjs", import.meta.url));
const download = (digit: string) => `downloads/${digit.repeat(64)}`;

/** Last used long ago, on 2020-09-13. */
const old = 1_600_000_000;

async function write(path: string, bytes: number, seconds?: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, Buffer.alloc(bytes));
  if (seconds !== undefined) await utimes(path, seconds, seconds);
}

/** A cache and a workspace with a result of Nx, and the command in it. */
async function makeCaches() {
  const root = await temporaryFolder();
  const [cache, workspace] = [join(root, "cache"), join(root, "workspace")];
  await mkdir(cache, { mode: 0o700 });
  await write(join(workspace, "nx.json"), 0);
  const bertqa = (...words: string[]) =>
    spawnSync(process.execPath, [program, "cache", ...words], {
      ...{ cwd: workspace, encoding: "utf8", env: { ...process.env, BERTQA_CACHE: cache } },
    });
  return { root, cache, nx: join(workspace, ".nx", "cache"), bertqa };
}

test("cache shows what each cache takes, and when it was last used", async () => {
  const { cache, nx, bertqa } = await makeCaches();
  await write(join(cache, download("a")), 1500, old);
  await write(join(cache, download("b")), 500, old - 86_400);
  await write(join(cache, "compiled/2.21.0-0123456789ab/program"), 250, old);
  await write(join(nx, "1234567890/outputs/manifest.json"), 1_000_000, old);
  await write(join(cache, "photos/of-mine.jpg"), 7);
  const { status, stdout, stderr } = bertqa();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(rows.slice(0, 6)).toEqual([
    ["", "entries", "size", "last used", "in"],
    ["downloads", "2", "2.0 kB", "2020-09-13", join(cache, "downloads")],
    ["engines", "0", "0 B", "–", join(cache, "engine")],
    ["compiled programs", "1", "250 B", "2020-09-13", join(cache, "compiled")],
    ["Nx's results", "1", "1.0 MB", "2020-09-13", nx],
    ["together", "4", "1.0 MB"],
  ]);
});

test("cache prune removes what is old and says so; what is new, in use, a link or not ours stays", async () => {
  const { root, cache, nx, bertqa } = await makeCaches();
  const removed = [download("a"), `${download("c")}.part-0a1b`, "compiled/2.21.0-0123456789ab/program"];
  const kept = [download("b"), "downloads/notes.txt", "engine/my-own/lib.so", "photos/of-mine.jpg"];
  for (const name of removed) await write(join(cache, name), 10, old);
  for (const name of kept) await write(join(cache, name), 10, name === download("b") ? undefined : old);
  await write(join(cache, "engine/tensorflow-cpu-1.0-linux-x64/tensorflow/lib.so"), 10, old);
  await write(join(nx, "1234567890/outputs/a.json"), 10, old);
  await write(join(nx, "run.json"), 10, old);
  await write(join(root, "elsewhere/1234567890/mine"), 10, old);
  await symlink(join(root, "elsewhere/1234567890"), join(nx, "9876543210"));
  await write(join(cache, download("d")), 10, old);
  const reading = await open(join(cache, download("d")));
  try {
    const { status, stdout, stderr } = bertqa("prune", "--older-than", "30");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const gone = [...removed, "engine/tensorflow-cpu-1.0-linux-x64"].map((name) => join(cache, name));
    const said = [...gone, join(nx, "1234567890")].map((path) => `removed ${path} (10 B, last used 2020-09-13)`);
    expect(stdout.trimEnd().split("\n").toSorted()).toEqual(
      [...said, "5 entries, 50 B, not used for 30 days"].toSorted(),
    );
    for (const path of [...gone, join(nx, "1234567890")]) expect(existsSync(path), path).toBe(false);
  } finally {
    await reading.close();
  }
  for (const name of kept) expect(existsSync(join(cache, name)), name).toBe(true);
  if (process.platform === "linux") expect(existsSync(join(cache, download("d")))).toBe(true);
  expect(existsSync(join(root, "elsewhere/1234567890/mine"))).toBe(true);
  expect(existsSync(join(nx, "run.json"))).toBe(true);
});

test("what another prune removes meanwhile is passed over, and not counted as removed", async () => {
  const { root, cache } = await makeCaches();
  for (const digit of ["a", "b", "c"]) await write(join(cache, download(digit)), 10, old);
  const removed: string[] = [];
  await pruneCaches(surveyCaches(root, cache), 1, ({ path }) => {
    removed.push(path);
    rmSync(join(cache, download("b")), { force: true });
  });
  expect(removed).toEqual(["a", "c"].map((digit) => join(cache, download(digit))));
});

test("what a killed prune had put aside is removed by the next", async () => {
  const { cache, nx } = await makeCaches();
  const left = [
    join(cache, `${download("a")}.pruned-123`),
    join(nx, "1234567890.pruned-123/outputs/a.json"),
    join(cache, "engine/tensorflow-cpu-1.0-linux-x64.pruned-123.pruned-4/tensorflow/lib.so"),
  ];
  for (const path of left) await write(path, 10, old);
  await write(join(nx, "notes.pruned-123"), 10, old);
  await pruneCaches(surveyCaches(dirname(dirname(nx)), cache), 1, () => undefined);
  expect(left.filter((path) => existsSync(path))).toEqual([]);
  expect(existsSync(join(nx, "notes.pruned-123"))).toBe(true);
});

test("cache prune wants a number of days from 1 on", async () => {
  const { bertqa } = await makeCaches();
  expect(bertqa("prune").status).toBe(2);
  expect(bertqa("prune", "--older-than", "0").status).toBe(2);
});
