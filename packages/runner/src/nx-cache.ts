import {
  artifactKinds,
  DamagedArtifactError,
  manifestName,
  openArtifact,
  stageOfKind,
  type Reporter,
} from "@bertqa/core";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";

/**
 * Where Nx keeps its results of a workspace: what the environment says, else `cacheDirectory` of `nx.json`, which has to name it. Without
 * one Nx keeps those of a git checkout in the user's home, shared with other checkouts, where nothing of ours looks.
 */
export function nxCacheFolder(workspaceFolder: string): string {
  const folder = process.env.NX_CACHE_DIRECTORY || nxSettings(workspaceFolder).cacheDirectory || join(".nx", "cache");
  return resolve(workspaceFolder, folder);
}

/** What is read of `nx.json`. */
interface NxSettings {
  readonly cacheDirectory?: string;
  readonly namedInputs?: Readonly<Record<string, readonly NxInput[]>>;
  readonly targetDefaults?: Readonly<Record<string, { readonly inputs?: readonly NxInput[] }>>;
}
export type NxInput = string | { readonly input?: string; readonly projects?: readonly string[] };

/** Empty of a file that cannot be read, as for Nx, which says itself what is wrong with it. */
export function nxSettings(workspaceFolder: string): NxSettings {
  try {
    return JSON.parse(readFileSync(join(workspaceFolder, "nx.json"), "utf8")) as NxSettings;
  } catch {
    return {};
  }
}

/**
 * Looks for a damaged artifact in Nx's local cache, by its manifest, or the lack of one. Nx copies on restoring, so an entry can
 * be whole where the artifact was changed since: it stays, and what restores it is said. One that is damaged itself is removed:
 * Nx checks nothing that it restores, so running the stage again would bring the same damage back. Its hash is noted, so that
 * `bertqa nx` does not take it from a shared cache again.
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
  if (inWorkspace.startsWith("..")) return;
  for (const entry of await readdir(cache).catch(() => [])) {
    const copy = join(cache, entry, inWorkspace);
    const cached = await readFile(join(copy, manifestName), "utf8").catch(() => undefined);
    if (cached !== manifest || !existsSync(copy)) continue;
    if (!(await isDamaged(copy))) {
      const stage = `${basename(dirname(artifactFolder))}:${basename(artifactFolder)}`;
      reporter.line(
        `${inWorkspace} is not as it was made, Nx's cache holds it whole: npx nx run ${stage} restores it where its inputs are the same`,
      );
      continue;
    }
    try {
      await mkdir(droppedFolderIn(workspaceFolder), { recursive: true });
      await writeFile(join(droppedFolderIn(workspaceFolder), entry), "");
      await rm(join(cache, entry), { recursive: true, force: true });
    } catch (cause) {
      // The stage's own error says more than the disk's.
      const { code, path } = cause as NodeJS.ErrnoException;
      reporter.line(
        `the damaged entry ${entry} of Nx's cache would come back, and cannot be dropped: ${code} at ${path}. Remove it: ` +
          `rm -r ${join(cache, entry)}`,
      );
      continue;
    }
    reporter.line(
      `dropped the damaged entry ${entry} from Nx's cache: the next run makes it again. If it came from a shared cache, run by ` +
        `npx bertqa nx, which does not take it again. ${removalOnServer(entry)}`,
    );
  }
}

/** Whether a stage's artifact is surely damaged: one that cannot be read now may be whole. */
async function isDamaged(folder: string): Promise<boolean> {
  const kind = artifactKinds.find((each) => stageOfKind[each] === basename(folder));
  if (kind === undefined) return false;
  try {
    const artifact = await openArtifact("cache", folder, kind);
    for (const { path } of artifact.manifest.files) await artifact.file(path);
    return false;
  } catch (error) {
    return error instanceof DamagedArtifactError;
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
