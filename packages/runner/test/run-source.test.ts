import { spawnSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";

const runner = join(import.meta.dirname, "..", "src", "run-source.mjs");

/** A workspace with one package whose program prints what it imports: our own, npm's, and where it lies. */
async function makeProgram() {
  const root = await temporaryFolder();
  const folder = join(root, "packages", "tool");
  const files = {
    "package.json": "{}",
    "src/main.ts": `
      import { word } from "./word.ts";
      import foreign from "foreign";
      import modern, { named } from "modern";
      const run = async () => console.log(word as string, foreign, modern(), named, (await import("late")).default, import.meta.dirname);
      void run();`,
    "src/word.ts": 'export const word: string = "first";',
    "node_modules/foreign/index.js": 'module.exports = "foreign";',
    "node_modules/modern/package.json": '{ "type": "module", "main": "index.js" }',
    "node_modules/modern/index.js": 'export default () => "modern"; export const named = "named";',
    "node_modules/late/index.js": 'module.exports = "late";',
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const source = `await (await import(${JSON.stringify(runner)})).runSource(new URL(${JSON.stringify(pathToFileURL(join(folder, "src", "main.ts")).href)}))`;
  const run = (before = "") =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", before + source], { encoding: "utf8" });
  const kept = join(folder, "node_modules", ".cache", "bertqa");
  const script = async () => join(kept, (await readdir(kept)).find((name) => name.startsWith("main-")) as string);
  const prints = (word: string) => ({
    stderr: "",
    stdout: `${word} foreign modern named late ${join(folder, "src")}\n`,
  });
  return { folder, run, kept, script, prints };
}

/** A script that says of itself that it is whole, as one would who plants it. */
async function plant(path: string): Promise<void> {
  const { createHash } = await import("node:crypto");
  const text = 'console.log("planted");\n';
  await writeFile(path, `// sha256 ${createHash("sha256").update(text).digest("hex")}\n${text}`, { mode: 0o600 });
}

test("a program runs from its sources, and again from the script that was kept of them", async () => {
  const { run, script, prints } = await makeProgram();
  expect(run()).toMatchObject(prints("first"));
  await plant(await script()); // by this user: nobody else could
  expect(run()).toMatchObject({ stdout: "planted\n" });
});

test("an edit of a source is seen at the next start", async () => {
  const { folder, run, prints } = await makeProgram();
  run();
  await writeFile(join(folder, "src", "word.ts"), 'export const word = "second";');
  expect(run()).toMatchObject(prints("second"));
});

test("a source that is saved between its hash and its compilation is not kept under the hash of what it was", async () => {
  const { folder, run, prints } = await makeProgram();
  // Its first reading is for the hash, its second is the compiler's.
  const saveAtSecondReading = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { readFileSync } = fs;
    let readings = 0;
    fs.readFileSync = (path, ...rest) => {
      if (String(path).endsWith("word.ts") && ++readings === 2) fs.writeFileSync(path, 'export const word = "second";');
      return readFileSync(path, ...rest);
    };
    syncBuiltinESMExports();
  `;
  expect(run(saveAtSecondReading)).toMatchObject(prints("second"));
  await writeFile(join(folder, "src", "word.ts"), 'export const word: string = "first";');
  expect(run()).toMatchObject(prints("first"));
});

test("a script that is not whole is compiled again", async () => {
  const { run, script, prints } = await makeProgram();
  run();
  const path = await script();
  const text = await readFile(path, "utf8");
  for (const damaged of ["", text.slice(0, -9), text.replace("foreign", "forge1n")]) {
    await writeFile(path, damaged);
    expect(run()).toMatchObject(prints("first"));
    expect(await readFile(path, "utf8")).toBe(text);
  }
});

test("a script that others may write, or behind a link, is not run", async () => {
  const { folder, run, kept, script, prints } = await makeProgram();
  run();
  const path = await script();
  await plant(path);
  await chmod(path, 0o620);
  expect(run()).toMatchObject(prints("first"));

  const elsewhere = join(folder, "elsewhere.cjs");
  await plant(path);
  await rename(path, elsewhere);
  await symlink(elsewhere, path);
  expect(run()).toMatchObject(prints("first"));

  await plant(path);
  await chmod(kept, 0o770);
  expect(run()).toMatchObject(prints("first"));
  await chmod(kept, 0o700);
  await plant(path);
  await rename(kept, join(folder, "elsewhere"));
  await symlink(join(folder, "elsewhere"), kept);
  expect(run()).toMatchObject(prints("first"));
});

test.runIf(process.getuid?.() === 0)("a script of another user is not run", async () => {
  const { run, script, prints } = await makeProgram();
  run();
  const path = await script();
  await plant(path);
  await chown(path, 1001, 1001);
  expect(run()).toMatchObject(prints("first"));
});

test("where nothing can be kept, the program runs all the same", async () => {
  const { folder, run, prints } = await makeProgram();
  await writeFile(join(folder, "node_modules", ".cache"), "a file where the folder would be");
  expect(run()).toMatchObject(prints("first"));
});

test("the oldest scripts go", async () => {
  const { run, kept } = await makeProgram();
  await mkdir(kept, { recursive: true, mode: 0o700 });
  for (let number = 0; number < 20; number++) await writeFile(join(kept, `old-${number}.cjs`), "");
  run();
  expect(await readdir(kept)).toHaveLength(16);
});
