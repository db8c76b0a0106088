import { mkdir, open, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { sizesOfFiles } from "./artifact.ts";
import { sha256OfFile } from "./hash.ts";
import {
  contentSha256Of,
  formatVersions,
  manifestName,
  manifestText,
  type ArtifactKind,
  type Manifest,
} from "./manifest.ts";

/** What a manifest says besides its files. */
export interface ArtifactDescription {
  readonly kind: ArtifactKind;
  readonly options: Readonly<Record<string, unknown>>;
  readonly resolved?: Readonly<Record<string, unknown>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly versions?: Readonly<Record<string, string>>;
  readonly inputs: Manifest["inputs"];
}

/** An artifact being written, in a temporary folder beside its final place. */
export interface ArtifactDraft {
  readonly folder: string;
  /** Absolute path of a file or folder to write; the folders above it are made. It must be there in the end. */
  path(name: string): Promise<string>;
}

/** Starts a draft in a folder that is there, is empty, and is this process's own. */
export function startDraft(
  folder: string,
): ArtifactDraft & { seal(description: ArtifactDescription): Promise<Manifest> } {
  const promised: string[] = [];
  return {
    folder,
    path: async (name) => {
      promised.push(name);
      const path = join(folder, name);
      // Never the draft's own folder: where somebody removed it, the artifact must fail and not come out half empty.
      for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
        await mkdir(join(folder, name.slice(0, at))).catch(unlessExists);
      }
      return path;
    },
    seal: (description) => seal(folder, promised, description),
  };
}

function unlessExists(cause: NodeJS.ErrnoException): void {
  if (cause.code !== "EEXIST") throw cause;
}

/** Hashes and flushes every file, and writes the manifest last. */
async function seal(folder: string, promised: readonly string[], description: ArtifactDescription): Promise<Manifest> {
  const sizes = await sizesOfFiles(folder);
  const names = [...sizes.keys()].sort();
  const missing = promised.find((name) => !names.some((each) => each === name || each.startsWith(`${name}/`)));
  if (missing !== undefined) throw new Error(`${join(folder, missing)} was to be written and is not there`);
  const files: Manifest["files"] = [];
  for (const path of names) {
    const full = join(folder, path);
    await flush(full, "r+");
    files.push({ path, bytes: sizes.get(path) as number, sha256: await sha256OfFile(full) });
  }
  for (const parent of foldersOf(names)) await flushFolder(join(folder, parent));
  const { kind, options, resolved = {}, counts, versions = {}, inputs } = description;
  const manifest: Manifest = {
    kind,
    formatVersion: formatVersions[kind],
    options: { ...options },
    resolved: { ...resolved },
    counts: { ...counts },
    versions: { ...versions },
    inputs: { ...inputs },
    files,
    contentSha256: contentSha256Of(files),
  };
  await writeFile(join(folder, manifestName), manifestText(manifest), { flush: true });
  await flushFolder(folder);
  return manifest;
}

/** Every folder on the way to the files, `.` for their own: `a/b/c.txt` → `a/b`, `a`, `.` */
function foldersOf(names: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const name of names) {
    let at = name;
    do folders.add((at = dirname(at)));
    while (at !== ".");
  }
  return folders;
}

/** Writes a folder's entries (new names, renames) to disk; without it a power cut may undo them. */
export function flushFolder(path: string): Promise<void> {
  return flush(path, "r");
}

async function flush(path: string, flags: "r" | "r+"): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and those above it where they are missing, so that a power cut does not undo them. */
export async function makeFlushedFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await flushFolder(dirname(at));
}
