import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  type Stats,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join, sep } from "node:path";
import { findInstalledEngine } from "@bertqa/engine";
import { nxCacheFolder, workspaceOf } from "@bertqa/runner";
import { cacheFolder } from "@bertqa/runner/cache-folder";

/** What a user keeps so that it need not be brought or made again. All of it comes back by itself where it is missed. */
export const cacheKinds = {
  downloads: "downloads",
  engines: "engines",
  compiled: "compiled programs",
  nx: "Nx's results",
} as const;
export type CacheKind = keyof typeof cacheKinds;

/** Something that is removed as one. */
export interface CacheEntry {
  readonly kind: CacheKind;
  readonly path: string;
  readonly bytes: number;
  /** The latest time, in ms since 1970, at which one of its files was read (as far as the disk notes that) or written. */
  readonly lastUsedMs: number;
}

/** What there is, and in which folders was looked; what is in them and not of bertqa or Nx is no entry. */
export interface Caches {
  readonly folders: Readonly<Record<CacheKind, string | undefined>>;
  readonly entries: readonly CacheEntry[];
}

/** Files of the user's cache by their names; a name that is none of these is somebody else's. */
const downloadName = /^([0-9a-f]{64}(\.part(-[0-9a-f]+)?)?|wheel-\w+)$/;
const engineName = /^(tensorflow-[\w.-]+|\.partial-[\w.-]+)$/;
const compiledFolderName = /^[\w.]+-[0-9a-f]{12}$/;
/** Nx names an entry by a hash in decimal digits. */
const nxName = /^\d{6,20}$/;
/** Ends the name of what a prune is about to remove, or was when it was killed. */
const prunedMark = /(\.pruned-\d+)+$/;

/** Looks through the user's cache, and through Nx's in the workspace around a folder, if there is one. */
export function surveyCaches(folder: string, cache: string = cacheFolder()): Caches {
  const workspace = workspaceOf(folder);
  const folders = {
    downloads: join(cache, "downloads"),
    engines: join(cache, "engine"),
    compiled: join(cache, "compiled"),
    nx: workspace === undefined ? undefined : nxCacheFolder(workspace),
  };
  const entries = [
    ...entriesIn("downloads", folders.downloads, downloadName),
    ...entriesIn("engines", folders.engines, engineName),
    // One folder a TensorFlow and processor, which is used for years: what is in it counts by the file.
    ...namesIn(folders.compiled)
      .filter((name) => compiledFolderName.test(name))
      .flatMap((name) => entriesIn("compiled", join(folders.compiled, name), /^[^.]/)),
    ...(folders.nx === undefined ? [] : entriesIn("nx", folders.nx, nxName)),
  ];
  return { folders, entries };
}

function entriesIn(kind: CacheKind, folder: string, ours: RegExp): CacheEntry[] {
  const names = namesIn(folder).filter((name) => ours.test(name.replace(prunedMark, "")));
  return names.flatMap((name) => {
    const path = join(folder, name);
    const files = filesUnder(path);
    if (files.length === 0) return [];
    const lastUsedMs = files.reduce((latest, { atimeMs, mtimeMs }) => Math.max(latest, atimeMs, mtimeMs), 0);
    return [{ kind, path, bytes: files.reduce((sum, { size }) => sum + size, 0), lastUsedMs }];
  });
}

/** Empty where it is no folder: a link to one is not followed. */
function namesIn(folder: string): string[] {
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readIfThere(folder).sort() : [];
}

function readIfThere(folder: string): string[] {
  return unlessGone(() => readdirSync(folder)) ?? [];
}

/** Undefined where what is acted on is gone: another process may prune, too. */
function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A file itself, or all in a folder, the folder for one without files; nothing for a link, which is not ours. */
function filesUnder(path: string): Stats[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) return [found];
  if (!found?.isDirectory()) return [];
  const inside = readIfThere(path).flatMap((name) => filesUnder(join(path, name)));
  return inside.length > 0 ? inside : [{ ...found, size: 0 }];
}

/**
 * Removes what nobody has used for so long. What the engine of this workspace is, and what a process of this user has open, stays.
 *
 * @param onRemoved told of each entry, after it is gone
 */
export async function pruneCaches(
  caches: Caches,
  olderThanMs: number,
  onRemoved: (entry: CacheEntry) => void,
  nowMs: number = Date.now(),
): Promise<void> {
  const used = pathsInUse();
  const isInUse = (path: string) => used.some((each) => each === path || each.startsWith(path + sep));
  for (const entry of caches.entries) {
    if (nowMs - entry.lastUsedMs < olderThanMs) continue;
    // Whoever looks for it finds it whole or not at all.
    const aside = `${entry.path}.pruned-${process.pid}`;
    const isAside = unlessGone(() => {
      if (isInUse(realpathSync(entry.path))) return false;
      renameSync(entry.path, aside);
      return true;
    });
    if (!isAside) continue;
    await rm(aside, { recursive: true, force: true });
    onRemoved(entry);
  }
}

/** The linked engine, and every file that a process which this user may look into has open or mapped; on Linux alone. */
function pathsInUse(): string[] {
  const engine = findInstalledEngine();
  const linked = "record" in engine ? [realpathSync(engine.folder)] : [];
  if (!existsSync("/proc/self/maps")) return linked;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return [...linked, ...pids.flatMap((pid) => [...mappedBy(pid), ...openedBy(pid)])];
}

function mappedBy(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/maps`, "utf8");
    return [...new Set(text.split("\n").flatMap((line) => / (\/.*)$/.exec(line)?.[1] ?? []))];
  } catch {
    return []; // another user's, or gone
  }
}

function openedBy(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return [];
  }
}
