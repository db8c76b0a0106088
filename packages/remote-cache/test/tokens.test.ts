import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addToken, followTokens, grantOf, readTokens, removeToken } from "../src/server/tokens.ts";
import { temporaryFolder } from "./support/servers.ts";

const main = { name: "main", scope: "write", namespace: "shared" } as const;

test("a token opens its grant; the file is for its owner alone and holds the hash alone", async () => {
  const path = join(await temporaryFolder(), "tokens.json");
  const token = await addToken(path, main);
  const other = await addToken(path, { name: "pr", scope: "write", namespace: "pr" });
  expect(token).toMatch(/^bertqa-[\w-]{43}$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8")).not.toContain(token);
  const grants = await readTokens(path);
  expect(grantOf(grants, token)).toMatchObject({ name: "main", reads: ["shared"], writes: "shared" });
  expect(grantOf(grants, other)).toMatchObject({ name: "pr", reads: ["shared", "pr"], writes: "pr" });
  expect(grantOf(grants, `${token}x`)).toBeUndefined();
});

test("a token of scope read writes nowhere, whatever its namespace", async () => {
  const path = join(await temporaryFolder(), "tokens.json");
  const token = await addToken(path, { name: "anna", scope: "read", namespace: "shared" });
  expect(grantOf(await readTokens(path), token)?.writes).toBeNull();
});

test("a file that others can read is refused, and so are links and other files", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "tokens.json");
  await expect(readTokens(path)).rejects.toThrow(
    `there is no file of tokens. Make a token: npx bertqa cache-server token NAME --scope write --tokens ${path}.`,
  );
  await addToken(path, main);
  symlinkSync(path, join(folder, "link"));
  await expect(readTokens(join(folder, "link"))).rejects.toThrow(/not a regular file/);
  chmodSync(path, 0o640);
  await expect(readTokens(path)).rejects.toThrow(/others can read.*chmod 600/);
  writeFileSync(path, '{"version":1,"tokens":[{}]}');
  chmodSync(path, 0o600);
  await expect(readTokens(path)).rejects.toThrow(/breaks its schema/);
});

test("a file of tokens that cannot be made is told in one line", async () => {
  const file = join(await temporaryFolder(), "notes.txt");
  writeFileSync(file, "");
  await expect(addToken(join(file, "tokens.json"), main)).rejects.toThrow(/^cache-server: a file lies where/);
});

test.each([
  ["../x", "pr", "name: expected letters, digits, . _ @ or -, 64 at most."],
  ["a b", "pr", "name: expected letters, digits, . _ @ or -, 64 at most."],
  ["anna", "../pr", "--namespace: expected small letters, digits and -, 32 at most."],
  ["anna", "PR", "--namespace: expected small letters, digits and -, 32 at most."],
])("the name %j in the namespace %j is refused in one sentence", async (name, namespace, problem) => {
  const path = join(await temporaryFolder(), "tokens.json");
  await expect(addToken(path, { name, scope: "write", namespace })).rejects.toThrow(
    expect.objectContaining({ message: `cache-server: ${problem}` }),
  );
});

test("a server knows a new token, and forgets a removed one, without a new start; a broken file changes nothing", async () => {
  const path = join(await temporaryFolder(), "tokens.json");
  const first = await addToken(path, main);
  const warnings: string[] = [];
  const current = await followTokens(path, (problem) => warnings.push(problem));
  const second = await addToken(path, { ...main, name: "second" });
  expect(grantOf(await current(), second)?.name).toBe("second");
  await removeToken(path, "main");
  expect(grantOf(await current(), first)).toBeUndefined();
  writeFileSync(path, "{");
  expect(grantOf(await current(), second)?.name).toBe("second");
  expect(warnings).toHaveLength(1);
  await expect(addToken(path, main)).rejects.toThrow(/not JSON/);
});

test("names are taken once; removing what is not there says what is", async () => {
  const path = join(await temporaryFolder(), "tokens.json");
  await addToken(path, main);
  await expect(addToken(path, main)).rejects.toThrow(/there is a token named main/);
  await expect(removeToken(path, "x")).rejects.toThrow(/no token named x.*There are: main/);
});

test("of commands that change the file at once, one that says that it did is not undone by another", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "tokens.json");
  await addToken(path, { ...main, name: "old" });
  const names = ["a", "b", "c", "d"];
  const added = await Promise.allSettled([
    removeToken(path, "old"),
    ...names.map((name) => addToken(path, { ...main, name })),
  ]);
  const [removed, ...made] = added.map(({ status }) => status === "fulfilled");
  const expected = [...(removed ? [] : ["old"]), ...names.filter((_, i) => made[i])];
  expect((await readTokens(path)).map(({ name }) => name).sort()).toEqual(expected.sort());
  const problems = added.flatMap((each) => (each.status === "rejected" ? String(each.reason) : []));
  for (const problem of problems) expect(problem).toMatch(/cache-server token: another run of cache-server token /);
  expect(readdirSync(folder)).toEqual(["tokens.json"]);
  await addToken(path, { ...main, name: "later" });
});
