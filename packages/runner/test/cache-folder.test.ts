import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder, cacheFolderProblem, openCacheFolder } from "../src/cache-folder.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "bertqa-cache-"))));
afterEach(() => rmSync(root, { recursive: true }));

test.each([
  [{}, "/home/ada/.cache/bertqa"],
  [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/bertqa"],
  [{ XDG_CACHE_HOME: "/xdg", BERTQA_CACHE: "/mine" }, "/mine"],
  [{ XDG_CACHE_HOME: "", BERTQA_CACHE: "" }, "/home/ada/.cache/bertqa"],
  [{ BERTQA_CACHE: "mine" }, join(process.cwd(), "mine")],
  [{ XDG_CACHE_HOME: "xdg" }, join(process.cwd(), "xdg", "bertqa")],
])("the cache for %j is %s", (environment, expected) => {
  expect(cacheFolder(environment, "/home/ada")).toBe(expected);
});

const modeOf = (folder: string) => lstatSync(folder).mode & 0o777;

test("a new cache folder is this user's alone, and one of theirs that others may write loses that right", async () => {
  const folder = join(root, "a", "cache");
  expect(await openCacheFolder("engine", folder)).toBe(folder);
  expect(modeOf(folder)).toBe(0o700);
  chmodSync(folder, 0o775);
  expect(cacheFolderProblem(folder)).toBe("may be written by other users (mode 0775)");
  await openCacheFolder("engine", folder);
  expect(modeOf(folder)).toBe(0o755);
  expect(cacheFolderProblem(folder)).toBeUndefined();
});

test("a folder of another user is refused, the administrator's is not", () => {
  const { uid } = lstatSync(root);
  expect(cacheFolderProblem(root, uid)).toBeUndefined();
  expect(cacheFolderProblem(join(root, "missing"))).toBeUndefined();
  if (uid === 0) {
    expect(cacheFolderProblem(root, 1000)).toBeUndefined();
    chownSync(root, 1001, 1001);
  }
  const owner = lstatSync(root).uid;
  expect(cacheFolderProblem(root, owner + 1)).toBe(`belongs to user ${owner}, expected user ${owner + 1}`);
});

test("what is no folder is refused in one line with the variable that moves it; a link of one's own is followed", async () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  await expect(openCacheFolder("fetch", file)).rejects.toThrow(
    `fetch: the cache folder is not a folder. Set BERTQA_CACHE to a folder of your own. (${file})`,
  );
  symlinkSync(join(root, "nowhere"), join(root, "dangling"));
  expect(cacheFolderProblem(join(root, "dangling"))).toBe("is not a folder");
  mkdirSync(join(root, "real"), { mode: 0o700 });
  symlinkSync(join(root, "real"), join(root, "link"));
  expect(await openCacheFolder("fetch", join(root, "link"))).toBe(join(root, "link"));
});
