import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = join(import.meta.dirname, "..");
const bins = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name, "bin"))
  .flatMap((folder) => namesIn(folder).map((name) => join(folder, name)));

function namesIn(folder: string): string[] {
  try {
    return readdirSync(join(root, folder));
  } catch {
    return []; // most packages have no command
  }
}

// Loaders of TypeScript keep what they compiled in a folder of the temporary one that is named by the user's id alone, and run what
// lies there: on a machine that people share, whoever makes it first runs code as somebody else.
test.each(bins)("%s runs no code from the temporary folder, and leaves none there", async (path) => {
  const temporary = await temporaryFolder();
  const run = spawnSync(process.execPath, [join(root, path), "--help"], {
    ...{ cwd: root, encoding: "utf8", env: { ...process.env, TMPDIR: temporary } },
  });
  expect(run.error).toBeUndefined();
  expect(await readdir(temporary)).toEqual([]);
});

test("the scripts of npm and the demo's targets that run TypeScript by tsx leave its cache off", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const { targets } = JSON.parse(readFileSync(join(root, "packages/bertqa/demo/project.json"), "utf8")) as {
    targets: Record<string, { options: { command: string } }>;
  };
  const commands = [...Object.values(scripts), ...Object.values(targets).map(({ options }) => options.command)];
  const withTsx = commands.filter((command) => /\btsx\b/.test(command));
  expect(withTsx.length).toBeGreaterThan(Object.keys(targets).length);
  for (const script of withTsx) expect(script).toMatch(/^(?:(?!\btsx\b).)*\bTSX_DISABLE_CACHE=1 tsx (?!.*\btsx\b)/);
});
