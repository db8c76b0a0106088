import { expect, test } from "vitest";
import { cacheFolder, findInstalledEngine } from "../src/locate.ts";

test.each([
  [{}, "/home/ada/.cache/bertqa"],
  [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/bertqa"],
  [{ XDG_CACHE_HOME: "/xdg", BERTQA_CACHE: "/mine" }, "/mine"],
  [{ XDG_CACHE_HOME: "", BERTQA_CACHE: "" }, "/home/ada/.cache/bertqa"],
])("the cache for %j is %s", (environment, expected) => {
  expect(cacheFolder(environment, "/home/ada")).toBe(expected);
});

test("an engine in another cache does not count as installed", () => {
  expect(findInstalledEngine({ BERTQA_CACHE: "/nowhere" })).toEqual({
    missing: expect.stringContaining("/nowhere") as string,
  });
});
