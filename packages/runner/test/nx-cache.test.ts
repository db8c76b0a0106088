import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { nxCacheFolder } from "../src/index.ts";

const repository = join(import.meta.dirname, "..", "..", "..");

afterEach(() => vi.unstubAllEnvs());

test("in a clone with a remote, Nx keeps its results where bertqa looks", { timeout: 120_000 }, async () => {
  const workspace = await temporaryFolder();
  // In a home below /tmp Nx shares nothing.
  const home = await mkdtemp(join(repository, "node_modules", ".home-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const settings = JSON.parse(await readFile(join(repository, "nx.json"), "utf8")) as object;
  // Its targets name packages of ours.
  const own = { ...settings, targetDefaults: {}, namedInputs: {} };
  await writeFile(join(workspace, "nx.json"), JSON.stringify(own));
  await writeFile(join(workspace, "package.json"), '{"name": "small"}');
  await writeFile(join(workspace, ".gitignore"), "node_modules\n.nx\nout\n");
  await symlink(join(repository, "node_modules"), join(workspace, "node_modules"));
  const command = "mkdir out && echo hello >out/word.txt";
  const make = { command, cache: true, outputs: ["{workspaceRoot}/out"] };
  await writeFile(join(workspace, "project.json"), JSON.stringify({ name: "small", targets: { make } }));

  const env = { PATH: process.env.PATH, HOME: home, NX_DAEMON: "false", NX_TUI: "false" };
  const run = (program: string, ...words: string[]) =>
    execFileSync(program, words, { cwd: workspace, env, stdio: "pipe" });
  run("git", "init", "--quiet");
  run("git", "remote", "add", "origin", "https://example.com/somebody/questions.git");
  run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "first");
  run(process.execPath, join("node_modules", "nx", "dist", "bin", "nx.js"), "run", "small:make");

  vi.stubEnv("NX_CACHE_DIRECTORY", "");
  const entries = await readdir(nxCacheFolder(workspace), { recursive: true });
  expect(entries.filter((name) => name.endsWith("out/word.txt"))).toHaveLength(1);
});

test("Nx's folder is that of the environment, else that of nx.json, else .nx/cache", async () => {
  const workspace = await temporaryFolder();
  vi.stubEnv("NX_CACHE_DIRECTORY", "");
  await writeFile(join(workspace, "nx.json"), "");
  expect(nxCacheFolder(workspace)).toBe(join(workspace, ".nx", "cache"));
  await writeFile(join(workspace, "nx.json"), '{"cacheDirectory": "kept"}');
  expect(nxCacheFolder(workspace)).toBe(join(workspace, "kept"));
  vi.stubEnv("NX_CACHE_DIRECTORY", "/elsewhere");
  expect(nxCacheFolder(workspace)).toBe("/elsewhere");
});
