import { BertqaError } from "@bertqa/squad";
import { rmSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { sha256Of, sha256OfFile, type Artifact } from "./artifact.ts";
import { formatVersions, manifestName, type ArtifactKind, type Manifest } from "./manifest.ts";

/** What a writer says of its artifact besides the files. */
export interface ArtifactDescription {
  readonly kind: ArtifactKind;
  readonly options: Readonly<Record<string, unknown>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, string>>;
}

/** An artifact being written, in a temporary folder beside its final place. */
export interface ArtifactDraft {
  readonly folder: string;
  /** Absolute path of a file to write, with its parent folders made. A `log` file or folder is listed but not hashed. */
  path(name: string, options?: { readonly log?: boolean }): Promise<string>;
}

/**
 * Writes an artifact as a whole or not at all: `fill` writes into `<folder>/../.<name>.partial-<pid>`, the manifest comes
 * last, and one rename puts it in place. Where `fill` throws or the process dies, no artifact is left; what an
 * earlier, killed process left is removed.
 *
 * @param fill writes the files and returns the description
 * @returns the artifact in its final place
 * @throws BertqaError if the disk is full or the folder cannot be written
 */
export async function writeArtifact(
  stage: string,
  folder: string,
  fill: (draft: ArtifactDraft) => Promise<ArtifactDescription>,
): Promise<Artifact> {
  const parent = dirname(folder);
  const partial = join(parent, `.${basename(folder)}.partial-${process.pid}`);
  const logs: string[] = [];
  const stopWatching = removeOnSignal(partial);
  try {
    await mkdir(parent, { recursive: true });
    await removeAbandoned(parent, basename(folder));
    await mkdir(partial);
    const description = await fill({
      folder: partial,
      path: async (name, options) => {
        if (options?.log) logs.push(name);
        const path = join(partial, name);
        await mkdir(dirname(path), { recursive: true });
        return path;
      },
    });
    const manifest = await describeFolder(partial, description, logs);
    await writeFile(join(partial, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    return { folder, manifest, path: (name) => join(folder, name) };
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    throw explainDiskError(stage, folder, cause);
  } finally {
    stopWatching();
  }
}

/** On Ctrl-C, or where a supervisor ends the process, the partial folder goes too; SIGKILL leaves it to the next start. */
function removeOnSignal(partial: string): () => void {
  const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
  const handlers = Object.entries(signals).map(([signal, number]) => {
    const handler = () => {
      rmSync(partial, { recursive: true, force: true });
      process.exit(128 + number);
    };
    process.once(signal, handler);
    return { signal, handler };
  });
  return () => handlers.forEach(({ signal, handler }) => process.off(signal, handler));
}

async function describeFolder(folder: string, description: ArtifactDescription, logs: string[]): Promise<Manifest> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => !logs.some((log) => name === log || name.startsWith(`${log}/`)))
    .sort();
  const files = await Promise.all(
    names.map(async (path) => {
      const full = join(folder, path);
      await syncToDisk(full);
      return { path, bytes: (await stat(full)).size, sha256: await sha256OfFile(full) };
    }),
  );
  const contentSha256 = sha256Of(files.map((file) => `${file.sha256}  ${file.path}\n`).join(""));
  const { kind, options, counts, versions, inputs } = description;
  return {
    kind,
    formatVersion: formatVersions[kind],
    options: { ...options },
    counts: { ...counts },
    versions: { ...versions },
    inputs: { ...inputs },
    files,
    logs: logs.toSorted(),
    contentSha256,
  };
}

async function syncToDisk(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes the partial folders of processes that are gone (SIGKILL, power cut); a living process keeps its own. */
async function removeAbandoned(parent: string, name: string): Promise<void> {
  const prefix = `.${name}.partial-`;
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(prefix)) continue;
    const pid = Number(entry.slice(prefix.length));
    if (pid === process.pid || !isProcessAlive(pid)) await rm(join(parent, entry), { recursive: true, force: true });
  }
}

/** Whether a process of this machine still runs; another user's counts too. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

function explainDiskError(stage: string, folder: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof BertqaError || !code) return cause;
  const where = folder;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BertqaError(stage, "the disk is full", { remedy: "Free some space and run again", where, cause });
  }
  if (code === "EACCES" || code === "EROFS" || code === "EPERM") {
    return new BertqaError(stage, `the folder cannot be written: ${code}`, { where, cause });
  }
  return cause;
}
