import { silentReporter } from "@bertqa/core";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { dropFromNxCache, droppedFolderIn, nxCacheFolder, writeArtifact } from "../src/index.ts";

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

/** A model and the copies that Nx's cache has of it, by entry. @returns what dropping says of the artifact */
async function madeAndKept() {
  const workspace = await temporaryFolder();
  vi.stubEnv("NX_CACHE_DIRECTORY", "");
  const place = join(workspace, "artifacts", "small", "train");
  await writeArtifact("train", place, async (draft) => {
    await writeFile(await draft.path("model/weights"), "of hours");
    return { kind: "model", options: {}, counts: {}, inputs: {} };
  });
  const kept = (entry: string) => join(workspace, ".nx", "cache", entry, "artifacts", "small", "train");
  for (const entry of ["100", "200"]) await cp(place, kept(entry), { recursive: true });
  const drop = async () => {
    const lines: string[] = [];
    await dropFromNxCache(workspace, place, { ...silentReporter, line: (text) => void lines.push(text) });
    return lines;
  };
  return { place, kept, drop, noted: droppedFolderIn(workspace) };
}

test.each([
  ["a file was changed in", "model/weights", "of hourz"],
  ["a file was put into", ".DS_Store", ""],
])("an artifact that %s stays whole in Nx's cache, and what restores it is said", async (_, name, content) => {
  const { place, kept, drop, noted } = await madeAndKept();
  await writeFile(join(place, name), content);
  const line =
    "artifacts/small/train is not as it was made, Nx's cache holds it whole: npx nx run small:train restores it where its inputs are the same";
  expect(await drop()).toEqual([line, line]);
  expect([existsSync(kept("100")), existsSync(kept("200")), existsSync(noted)]).toEqual([true, true, false]);
});

test.each([
  ["model/weights", "of hourz"],
  [".DS_Store", ""],
])("of two copies, the one that is damaged itself is dropped and noted: %s", async (name, content) => {
  const { place, kept, drop, noted } = await madeAndKept();
  for (const folder of [place, kept("200")]) await writeFile(join(folder, name), content);
  const lines = await drop();
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^dropped the damaged entry 200 from Nx's cache/);
  expect([existsSync(kept("100")), existsSync(kept("200")), await readdir(noted)]).toEqual([true, false, ["200"]]);
});

test("a copy without its manifest, which would come back with every run, is dropped where the artifact has none either", async () => {
  const { place, kept, drop } = await madeAndKept();
  for (const folder of [place, kept("200")]) await rm(join(folder, "manifest.json"));
  expect(await drop()).toEqual([expect.stringMatching(/^dropped the damaged entry 200 from Nx's cache/)]);
  expect([existsSync(kept("100")), existsSync(kept("200"))]).toEqual([true, false]);
});

test("where a damaged copy cannot be dropped, a line says what to remove, and the stage says the rest", async () => {
  const { place, kept, drop, noted } = await madeAndKept();
  for (const folder of [place, kept("200")]) await writeFile(join(folder, "model/weights"), "of hourz");
  await writeFile(noted, ""); // no folder for notes can be made: as on a disk that is mounted read-only
  const [, line] = await drop();
  expect(line).toMatch(
    /^the damaged entry 200 of Nx's cache would come back, and cannot be dropped: EEXIST at .*\. Remove it: rm -r .*\/200$/,
  );
});
