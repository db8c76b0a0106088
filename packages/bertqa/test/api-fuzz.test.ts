import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startCommand, workspaceBin } from "./serve-support.ts";
import { temporaryFolder, writeTinyExport } from "./tiny-export.ts";

/** Needs schemathesis, which is Python's: `npm run test:api-fuzz`. */
const isWanted = process.env["BERTQA_API_FUZZ"] === "1";
const program = process.env["BERTQA_SCHEMATHESIS"] || "schemathesis";
const token = "a-token-of-more-than-22-characters";
const slow = { timeout: 300_000 };

/** Its own list of statuses for what the description forbids lacks 413, which a long text may get before it is looked at. */
const config = `[checks.negative_data_rejection]
expected-statuses = [400, 401, 405, 413, 415, 422]
`;

/** All checks of schemathesis on an address: no 5xx, statuses, types and bodies as described, valid taken and invalid refused. */
async function fuzz(address: string, flags: readonly string[]): Promise<{ exitCode: unknown; output: string }> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "schemathesis.toml"), config);
  const bounds = ["--max-examples", "300", "--seed", "20261126", "--mode", "all", "--continue-on-failure"];
  const run = ["run", `${address}/openapi.json`, "--checks", "all", "--phases", "examples,coverage,fuzzing", ...bounds];
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, maxBuffer: 1024 ** 3 };
    execFile(program, ["--no-color", ...run, ...flags], options, (error, stdout, stderr) => {
      if (error?.code === "ENOENT") {
        return reject(new Error(`${program} is not there: packages/bertqa/README.md says how to install schemathesis`));
      }
      // The bodies that it shows can be megabytes long.
      const lines = (stdout + stderr).split("\n").map((line) => line.slice(0, 500));
      resolve({ exitCode: error?.code ?? 0, output: lines.join("\n") });
    });
  });
}

describe.skipIf(!isWanted)("schemathesis finds nothing in what /openapi.json describes", () => {
  test.each([
    ["open to all", {}, []],
    ["with a token", { BERTQA_TOKEN: token }, ["--header", `Authorization: Bearer ${token}`]],
  ] as const)("%s", slow, async (_, env, flags) => {
    const model = await writeTinyExport(await temporaryFolder());
    const documents = await temporaryFolder();
    await writeFile(join(documents, "ada.md"), "Ada wrote the program.\n\nWhere is it?\n");
    const options = ["--model", model, "--documents", documents, "--max-passage-characters", "2000"];
    const { address, child, exit, lines } = await startCommand(workspaceBin, options, env);
    const { exitCode, output } = await fuzz(address, flags);
    expect(exitCode, output).toBe(0);
    expect(output).toContain("Tested: 6");
    expect(Number(/(\d+) generated, \1 passed/.exec(output)?.[1]), output).toBeGreaterThan(500);
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(lines().at(-1)).toMatchObject({ msg: "stopped", abandoned: 0 });
    expect(lines().filter(({ level }) => level !== "info")).toEqual([]);
  });
});
