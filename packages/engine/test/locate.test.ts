import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compileCacheEnvironment } from "../src/compile-cache.ts";
import { engineRecordFile, findInstalledEngine, readEngineRecord } from "../src/locate.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "bertqa-locate-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("an engine in another cache does not count as installed", () => {
  expect(findInstalledEngine({ BERTQA_CACHE: "/nowhere" })).toEqual({
    missing: expect.stringContaining("/nowhere") as string,
  });
});

test.each([
  ["empty", ""],
  ["cut short", '{ "format": 1, "ho'],
  ["zeroed by a power cut", "\0\0\0\0"],
  ["null", "null"],
  ["of another format", '{ "format": 0 }'],
])("an engine.json that is %s counts as missing, so that the next install writes it again", (_name, content) => {
  writeFileSync(join(folder, engineRecordFile), content);
  expect(readEngineRecord(folder)).toBeUndefined();
});

test("XLA keeps compiled programs in the cache, but not where a space in the path would end the flag", () => {
  expect(compileCacheEnvironment({ BERTQA_CACHE: folder }, "2.21.0")["TF_XLA_FLAGS"]).toMatch(
    `--tf_xla_persistent_cache_directory=${folder}/compiled/2.21.0-`,
  );
  expect(compileCacheEnvironment({ BERTQA_CACHE: join(folder, "a b") }, "2.21.0")).toEqual({});
});
