import { BertqaError, countOf, formatBytes, printable } from "@bertqa/core";
import { cacheFolder, cacheFolderProblem } from "@bertqa/runner/cache-folder";
import { aligned } from "../aligned.ts";
import { cacheKinds, pruneCaches, surveyCaches, type CacheEntry, type CacheKind, type Caches } from "../caches.ts";

const dayMs = 24 * 3600 * 1000;

/** Prints what the user's caches hold: a row a kind, with its size and when it was last used. */
export function showCaches({ json }: { readonly json?: boolean }): void {
  const caches = surveyCaches(process.cwd());
  process.stdout.write(json ? `${JSON.stringify(caches, null, 2)}\n` : `${cacheLines(caches).join("\n")}\n`);
}

/**
 * Removes what was not used for some days, and prints it.
 *
 * @throws BertqaError if others may write to the cache: what lies there may be somebody's trap
 */
export async function pruneOldCaches({ olderThan }: { readonly olderThan: number }): Promise<void> {
  const where = cacheFolder();
  const problem = cacheFolderProblem(where);
  if (problem !== undefined) throw new BertqaError("cache", `the cache folder ${problem}`, { where });
  const removed: CacheEntry[] = [];
  await pruneCaches(surveyCaches(process.cwd()), olderThan * dayMs, (entry) => {
    removed.push(entry);
    const { path, bytes, lastUsedMs } = entry;
    process.stdout.write(`removed ${printable(path)} (${formatBytes(bytes)}, last used ${dateOf(lastUsedMs)})\n`);
  });
  const entries = removed.length === 1 ? "1 entry" : `${removed.length.toLocaleString("en-US")} entries`;
  process.stdout.write(`${entries}, ${formatBytes(sizeOf(removed))}, not used for ${countOf(olderThan, "day")}\n`);
}

/** A survey for people. */
function cacheLines({ folders, entries }: Caches): string[] {
  const rows = (Object.keys(cacheKinds) as CacheKind[]).flatMap((kind) => {
    const folder = folders[kind];
    if (folder === undefined) return [];
    const own = entries.filter((entry) => entry.kind === kind);
    const lastUsedMs = own.reduce((latest, entry) => Math.max(latest, entry.lastUsedMs), 0);
    const used = own.length === 0 ? "–" : dateOf(lastUsedMs);
    return [[cacheKinds[kind], own.length.toLocaleString("en-US"), formatBytes(sizeOf(own)), used, printable(folder)]];
  });
  const total = ["together", entries.length.toLocaleString("en-US"), formatBytes(sizeOf(entries)), "", ""];
  const table = [["", "entries", "size", "last used", "in"], ...rows, total];
  return [
    ...aligned(table, [1, 2]),
    "",
    "npx bertqa cache prune --older-than 30 removes what was not used for 30 days; what is missed comes back by itself.",
  ];
}

function sizeOf(entries: readonly CacheEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
