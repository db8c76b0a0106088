import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The walls between packages: what a package with a tag may import. The linter reads this table, and `walls.test.ts` holds the
 * packages' declared dependencies against it; ARCHITECTURE.md explains it.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const allowedByTag = {
  core: [],
  engine: ["core"],
  model: ["core", "engine"],
  stage: ["core"],
  "model-stage": ["core", "engine", "model"],
  app: ["core", "engine"],
};

const packagesFolder = join(import.meta.dirname, "..", "packages");

/** Names of the folders under `packages/`. */
export function packageFolders() {
  return readdirSync(packagesFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/**
 * The tag of a package and what it may import.
 *
 * @param {string} folder name of a folder under `packages/`
 */
export function wallOf(folder) {
  const manifest = JSON.parse(readFileSync(join(packagesFolder, folder, "package.json"), "utf8"));
  const tag = /** @type {string} */ (manifest.nx.tags[0]);
  const allowed = allowedByTag[tag];
  if (!allowed) throw new Error(`packages/${folder} has the tag "${tag}", which test/walls.js does not know`);
  return { tag, allowed, dependencies: Object.keys(manifest.dependencies ?? {}), manifest };
}
