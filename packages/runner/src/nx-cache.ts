import { manifestName, type Reporter } from "@bertqa/core";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

/**
 * Where Nx keeps its results of a workspace: what the environment says, else `cacheDirectory` of `nx.json`, which has to name it. Without
 * one Nx keeps those of a git checkout in the user's home, shared with other checkouts, where nothing of ours looks.
 */
export function nxCacheFolder(workspaceFolder: string): string {
  const folder = process.env.NX_CACHE_DIRECTORY || configuredCacheFolder(workspaceFolder) || join(".nx", "cache");
  return resolve(workspaceFolder, folder);
}

/** None in a file that cannot be read, as for Nx, which says itself what is wrong with it. */
function configuredCacheFolder(workspaceFolder: string): string | undefined {
  try {
    const text = readFileSync(join(workspaceFolder, "nx.json"), "utf8");
    return (JSON.parse(text) as { cacheDirectory?: string }).cacheDirectory;
  } catch {
    return undefined;
  }
}

/**
 * Removes the entries of Nx's local cache that hold a damaged artifact: Nx checks nothing that it restores, so running the stage
 * again would bring the same damage back. Entries are found by the manifest, which is the same in the cache. Their hashes are noted,
 * so that `bertqa nx` does not take them from a shared cache again.
 */
export async function dropFromNxCache(
  workspaceFolder: string | undefined,
  artifactFolder: string,
  reporter: Reporter,
): Promise<void> {
  if (workspaceFolder === undefined) return;
  const inWorkspace = relative(workspaceFolder, artifactFolder);
  const cache = nxCacheFolder(workspaceFolder);
  const manifest = await readFile(join(artifactFolder, manifestName), "utf8").catch(() => undefined);
  if (manifest === undefined || inWorkspace.startsWith("..")) return;
  for (const entry of await readdir(cache).catch(() => [])) {
    const cached = await readFile(join(cache, entry, inWorkspace, manifestName), "utf8").catch(() => undefined);
    if (cached !== manifest) continue;
    await mkdir(droppedFolderIn(workspaceFolder), { recursive: true });
    await writeFile(join(droppedFolderIn(workspaceFolder), entry), "");
    await rm(join(cache, entry), { recursive: true, force: true });
    reporter.line(
      `dropped the damaged entry ${entry} from Nx's cache: the next run makes it again. If it came from a shared cache, run by ` +
        `npx bertqa nx, which does not take it again. ${removalOnServer(entry)}`,
    );
  }
}

/** How the operator of a shared cache removes an entry that no client may replace. */
export function removalOnServer(hash: string): string {
  return `On the server, its operator removes it: rm -r FOLDER/entries/*/${hash}`;
}

/** Where the hashes of dropped entries are noted, one empty file each. */
export function droppedFolderIn(workspaceFolder: string): string {
  return join(workspaceFolder, ".nx", "bertqa-dropped");
}
