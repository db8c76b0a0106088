import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const cacheFolder = new URL("../node_modules/.cache/bertqa/", import.meta.url);

/**
 * Imports a module of a self-contained folder of TypeScript, compiled once into one file under `node_modules/.cache`, by
 * the sha256 of its sources: tsx alone takes longer to start than all the work of this command. Where the cache cannot
 * be written, tsx runs the sources as they are.
 *
 * @param {URL} folder
 * @param {string} entry name of a file in it
 */
export async function importCompiled(folder, entry) {
  const compiled = fileURLToPath(new URL(`${hashOfFolder(folder)}.cjs`, cacheFolder));
  if (!existsSync(compiled) && !(await compile(new URL(entry, folder), compiled))) {
    return importSource(new URL(entry, folder));
  }
  return createRequire(import.meta.url)(compiled);
}

/** Imports a TypeScript module as it is, through tsx. */
export async function importSource(module) {
  const { register } = await import("tsx/esm/api");
  register();
  return import(module.href);
}

function hashOfFolder(folder) {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(new URL(name, folder)));
  return hash.digest("hex").slice(0, 16);
}

async function compile(entry, compiled) {
  const { build } = await import("esbuild");
  const result = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  const partial = new URL(`.${process.pid}.partial`, cacheFolder);
  try {
    mkdirSync(cacheFolder, { recursive: true });
    writeFileSync(partial, result.outputFiles[0].contents);
    renameSync(partial, compiled);
    return true;
  } catch {
    rmSync(partial, { force: true });
    return false;
  }
}
