import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { lstat, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** After this long without a change nobody writes to a file any more: an answer that is silent for 30 s is given up. */
const abandonedAfterMs = 120_000;

/**
 * Lets `use` write the file `<sha256>` under a name that no other process has, whatever machine it runs on. It begins with
 * what an earlier download left; a part that is not finished is left for the next.
 */
export async function withPart<T>(folder: string, sha256: string, use: (part: string) => Promise<T>): Promise<T> {
  const left = join(folder, `${sha256}.part`);
  const own = `${left}-${randomBytes(6).toString("hex")}`;
  for (const name of await abandoned(folder, `${sha256}.part-`)) await rename(join(folder, name), left);
  await rename(left, own).catch(() => {}); // nothing was left, or another process was faster
  // Whoever could once write to the folder may have left a link: what it leads to is not ours to write.
  const found = await lstat(own).catch(() => undefined);
  if (found && !(found.isFile() && found.nlink === 1)) await rm(own, { recursive: true });
  const leave = () => {
    try {
      renameSync(own, left);
    } catch {
      // It is whole and in its place, or was never begun.
    }
  };
  process.once("exit", leave);
  try {
    return await use(own);
  } finally {
    process.off("exit", leave);
    leave();
  }
}

/** An empty folder for a wheel, gone when `use` ends; those of killed processes go first. */
export async function withUnpackFolder<T>(folder: string, use: (unpackFolder: string) => Promise<T>): Promise<T> {
  for (const name of await abandoned(folder, "wheel-")) await rm(join(folder, name), { recursive: true, force: true });
  const unpackFolder = await mkdtemp(join(folder, "wheel-"));
  try {
    return await use(unpackFolder);
  } finally {
    await rm(unpackFolder, { recursive: true, force: true });
  }
}

async function abandoned(folder: string, prefix: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix));
  const before = Date.now() - abandonedAfterMs;
  const changes = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
  return names.filter((_, i) => (changes[i]?.mtimeMs ?? Number.POSITIVE_INFINITY) < before);
}
