import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runNx } from "../src/client/index.ts";
import { temporaryFolder } from "./support/servers.ts";

/** A workspace whose Nx writes the environment that it was given to a file. */
async function startTelling(environment: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder();
  const nx = join(folder, "node_modules", "nx");
  await mkdir(nx, { recursive: true });
  await writeFile(join(folder, "package.json"), "{}");
  await writeFile(join(nx, "package.json"), JSON.stringify({ bin: { nx: "nx.cjs" } }));
  await writeFile(join(nx, "nx.cjs"), 'require("node:fs").writeFileSync("told.json", JSON.stringify(process.env));');
  const server = { NX_SELF_HOSTED_REMOTE_CACHE_SERVER: "http://127.0.0.1:9" };
  const code = await runNx([], {
    environment: { ...server, ...environment },
    folder,
    say: () => {},
    isTerminal: false,
  });
  expect(code).toBe(0);
  return JSON.parse(await readFile(join(folder, "told.json"), "utf8")) as NodeJS.ProcessEnv;
}

test.each([
  [{}, "127.0.0.1", "127.0.0.1"],
  [{ NO_PROXY: "mirror.corp" }, "mirror.corp,127.0.0.1", "mirror.corp,127.0.0.1"],
  [{ no_proxy: "mirror.corp" }, "mirror.corp,127.0.0.1", "mirror.corp,127.0.0.1"],
  [{ no_proxy: "", NO_PROXY: "mirror.corp" }, "mirror.corp,127.0.0.1", "mirror.corp,127.0.0.1"],
  [{ no_proxy: "a.corp", NO_PROXY: "b.corp" }, "a.corp,127.0.0.1", "b.corp,127.0.0.1"],
  [{ NO_PROXY: "*" }, "*", "*"],
  [{ no_proxy: "*", NO_PROXY: "b.corp" }, "*", "b.corp,127.0.0.1"],
])(
  "with %j Nx and its tasks go past the proxy where they would without us, and to ours",
  async (given, lower, upper) => {
    expect(await startTelling(given)).toMatchObject({ no_proxy: lower, NO_PROXY: upper });
  },
);
