import { rmSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isProcessAlive } from "@bertqa/runner";

/**
 * Files in the download cache that are not whole yet. What a process is writing carries its id in the name, so that two
 * pipelines never write one file; what a process left behind, stopped or killed, is taken over by the next.
 */

/** A path for the file `<sha256>` that only this process writes to, holding the longest part that others left. */
export async function claimPart(downloadsFolder: string, sha256: string): Promise<string> {
  const own = join(downloadsFolder, `${sha256}.part-${process.pid}`);
  const left = (await readdir(downloadsFolder)).filter((name) => isLeft(name, `${sha256}.part`));
  const sized = await Promise.all(
    left.map(async (name) => ({ name, size: await sizeOf(join(downloadsFolder, name)) })),
  );
  const [longest, ...rest] = sized.sort((a, b) => b.size - a.size);
  // Another process may take the same part at this moment: one rename wins, the other starts from nothing.
  if (longest) await rename(join(downloadsFolder, longest.name), own).catch(() => {});
  for (const { name } of rest) await rm(join(downloadsFolder, name), { force: true });
  return own;
}

/** Gives a part up, for whoever comes next. */
export async function leavePart(downloadsFolder: string, sha256: string, part: string): Promise<void> {
  await rename(part, join(downloadsFolder, `${sha256}.part`)).catch(() => {});
}

/** An empty folder for unpacking, gone when `use` ends, on Ctrl-C too; one that a killed process left goes first. */
export async function withUnpackFolder<T>(downloadsFolder: string, use: (folder: string) => Promise<T>): Promise<T> {
  const prefix = "wheel.partial";
  for (const name of await readdir(downloadsFolder)) {
    if (isLeft(name, prefix)) await rm(join(downloadsFolder, name), { recursive: true, force: true });
  }
  const folder = join(downloadsFolder, `${prefix}-${process.pid}`);
  await mkdir(folder);
  const removeNow = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeNow);
  try {
    return await use(folder);
  } finally {
    process.off("exit", removeNow);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether `name` is `prefix`, or `prefix-<id>` of this process or of one that is gone. */
function isLeft(name: string, prefix: string): boolean {
  if (name === prefix) return true;
  if (!name.startsWith(`${prefix}-`)) return false;
  const pid = Number(name.slice(prefix.length + 1));
  return pid === process.pid || !isProcessAlive(pid);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
