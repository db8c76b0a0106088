import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  const compiled = new URL(`${hashOfFolder(folder)}.mjs`, cacheFolder);
  try {
    return await import(compiled.href);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || error.url !== compiled.href) throw error;
  }
  if (await compile(new URL(entry, folder), compiled)) return import(`${compiled.href}?first`);
  return importSource(new URL(entry, folder));
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
    format: "esm",
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
