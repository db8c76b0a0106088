import { expect, test } from "vitest";
import { Inventory } from "../src/server/eviction.ts";
import { startServer, type TestServer } from "./support/servers.ts";

/**
 * CVE-2025-36852: a pull request computes the hash that main will have after the merge, and puts a result of its own under it
 * before main builds. Everybody then takes the attacker's result for main's.
 */
const honest = "what main builds";
const poison = "what the pull request would like main to have";
const put = (server: TestServer, name: string, content: string) =>
  server.call("PUT", "1734202108296526469", name, { body: content });
const got = async (server: TestServer, name: string) => {
  const answer = await server.call("GET", "1734202108296526469", name);
  return answer.status === 200 ? answer.text() : answer.status;
};

test("the attack, where pull requests write where main reads: 409 holds main's own result off, and everybody gets the poison", async () => {
  const server = await startServer();
  // One credential for all, as most caches have it.
  expect((await put(server, "main", poison)).status).toBe(200);
  expect((await put(server, "main", honest)).status).toBe(409);
  expect(await got(server, "main")).toBe(poison);
  expect(await got(server, "reader")).toBe(poison);
});

test("the attack, with a token of the namespace pr: main and the readers never see it, and main's result stands", async () => {
  const server = await startServer();
  expect((await put(server, "pr", poison)).status).toBe(200);
  expect(await got(server, "main")).toBe(404);
  expect(await got(server, "reader")).toBe(404);
  expect((await put(server, "main", honest)).status).toBe(200);
  expect(await got(server, "main")).toBe(honest);
  expect(await got(server, "reader")).toBe(honest);
  // From now on the pull request gets main's, too.
  expect(await got(server, "pr")).toBe(honest);
});

test("a pull request takes main's results, and cannot replace one", async () => {
  const server = await startServer();
  await put(server, "main", honest);
  expect(await got(server, "pr")).toBe(honest);
  expect((await put(server, "pr", poison)).status).toBe(409);
  expect(await got(server, "main")).toBe(honest);
});

test("a pull request cannot fill the cache until main's results are dropped: its own go first", () => {
  const inventory = new Inventory();
  inventory.add({ namespace: "shared", hash: "1", bytes: 10, usedMs: 1 });
  for (const hash of ["2", "3", "4"]) inventory.add({ namespace: "pr", hash, bytes: 10, usedMs: 100 + Number(hash) });
  // 40 bytes, 20 may stay: the two oldest of pr go, though the shared one is older.
  expect(inventory.overflow(20).map(({ hash }) => hash)).toEqual(["2", "3"]);
  expect(inventory.overflow(5).map(({ hash }) => hash)).toEqual(["2", "3", "4", "1"]);
});
