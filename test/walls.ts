import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The walls between packages: what a package with a tag may import. The linter reads this table, and `walls.test.ts` holds the
 * packages' declared dependencies against it; ARCHITECTURE.md explains it.
 */
const allowedByTag: Readonly<Record<string, readonly string[]>> = {
  pure: [],
  core: ["squad"],
  runner: ["core"],
  engine: ["core", "runner"],
  model: ["core", "engine"],
  library: ["squad"],
  stage: ["core", "squad", "answers", "formats", "runner"],
  "model-stage": ["core", "squad", "answers", "engine", "model"],
  app: ["core", "runner", "engine"],
};

const packagesFolder = join(import.meta.dirname, "..", "packages");

/** Names of the folders under `packages/`. */
export function packageFolders(): string[] {
  return readdirSync(packagesFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** What a package (named by its folder) may import, and the dependencies that it declares. */
export function wallOf(folder: string): { allowed: readonly string[]; dependencies: string[] } {
  const manifest = JSON.parse(readFileSync(join(packagesFolder, folder, "package.json"), "utf8"));
  const tag = String(manifest.nx.tags[0]);
  const allowed = folder === "answers" ? ["squad"] : allowedByTag[tag];
  if (!allowed) throw new Error(`packages/${folder} has the tag "${tag}", which test/walls.js does not know`);
  return { allowed, dependencies: Object.keys(manifest.dependencies ?? {}) };
}
