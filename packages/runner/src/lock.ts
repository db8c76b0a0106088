import { BertqaError, makeFlushedFolder } from "@bertqa/core";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { link, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isRunning, isSameMachine, ownMark, processMarkSchema, type ProcessMark } from "./processes.ts";

/** A lock of another host or container, whose processes cannot be seen from here, is believed for this long. */
const foreignLockMs = 7 * 24 * 3600 * 1000;
/** The file that becomes a lock lies under its first name for milliseconds; after this long its process was killed in between. */
const abandonedMs = 60_000;

/** One run at a time writes at a stage's place. */
export interface Lock {
  release(): void;
}

/**
 * Takes a lock: a file that names its owner, made by `link`, which is atomic on network file systems too. The file is never
 * empty and its owner is known, so a process that was killed at any moment blocks nobody.
 *
 * @param reader the stage that only reads there, where it is another one; errors are its own
 * @throws BertqaError naming the process that holds it
 */
export async function takeLock(stage: string, path: string, reader: string = stage): Promise<Lock> {
  await makeFlushedFolder(dirname(path));
  const own = nameBeside(path);
  const mark = JSON.stringify(ownMark());
  try {
    await writeFile(own, mark, { flag: "wx" });
    await removeAbandoned(path, (owner, remedy) => {
      const isOwn = reader === stage;
      const problem = isOwn ? `another run of ${stage} (${owner}) is writing here` : `${stage} (${owner}) is running`;
      return new BertqaError(reader, problem, { remedy, where: dirname(path) });
    });
    await link(own, path);
    await removeUnfinished(path, own);
    return { release: () => release(path, mark) };
  } catch (cause) {
    // ENOENT: another run took the abandoned lock over, or somebody whose clock differs took ours for abandoned.
    if (!["EEXIST", "ENOENT"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
    throw new BertqaError(reader, `another run of ${stage} started at the same moment`, { where: path, cause });
  } finally {
    removeQuietly(own);
  }
}

/** A name for a file that is no lock yet, or none any more. */
function nameBeside(path: string): string {
  return `${path}-${randomBytes(6).toString("hex")}`;
}

/** Another run's lock stays: it took this one for abandoned. */
function release(path: string, mark: string): void {
  try {
    if (readFileSync(path, "utf8") !== mark) return;
  } catch {
    return; // gone, or as unreadable as it would be unremovable
  }
  removeQuietly(path);
}

/** A lock that cannot be removed is that of a process that is gone: the next run takes it over, and this one's result stands. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // said above
  }
}

/** What processes left that were killed between writing their lock and taking it. */
async function removeUnfinished(path: string, own: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => []);
  const others = names.filter((name) => name.startsWith(`${basename(path)}-`)).map((name) => join(dirname(path), name));
  for (const other of others.filter((each) => each !== own)) {
    const found = await stat(other).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > abandonedMs) removeQuietly(other);
  }
}

async function removeAbandoned(path: string, held: (owner: string, remedy: string) => BertqaError): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const owner = parseMark(text);
  if (owner && isSameMachine(owner, ownMark())) {
    if (isRunning(owner)) throw held(`process ${owner.pid}`, "Wait until it has ended");
  } else if (owner && Date.now() - (await stat(path)).mtimeMs < foreignLockMs) {
    throw held(`process ${owner.pid} of ${owner.host}`, `Wait for it, or delete ${path} if it is gone`);
  }
  await moveAway(path, text);
}

/** Removes a lock of that text. Another run may have taken it over since it was read: that run's own goes back. */
async function moveAway(path: string, text: string): Promise<void> {
  const away = nameBeside(path);
  await rename(path, away);
  try {
    if ((await readFile(away, "utf8")) === text) return;
    await link(away, path);
  } finally {
    removeQuietly(away);
  }
  throw Object.assign(new Error(`${path} was taken over`), { code: "EEXIST" });
}

function parseMark(text: string): ProcessMark | undefined {
  try {
    return processMarkSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
