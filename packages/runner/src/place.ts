import {
  BertqaError,
  flushFolder,
  manifestName,
  startDraft,
  type Artifact,
  type ArtifactDescription,
  type ArtifactDraft,
  openArtifact,
} from "@bertqa/core";
import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { takeLock } from "./lock.ts";

/*
 * A place is the folder in which a stage's artifact lies, for example `artifacts/pipeline/train`. Beside it lie, while a run is
 * going on or after it was killed: `.train.new-<random>`, being written or finished, and `.train.old-<random>`, the artifact that the new
 * one replaces, or other work that is over. Whoever holds the stage's lock may touch them.
 */

/**
 * Brings a place into order after a run that was killed: a finished new artifact goes in where the place is empty, else an old
 * one goes back; what is left of unfinished ones is removed.
 */
export async function recoverPlace(place: string): Promise<void> {
  await restoreSurvivor(place);
  // What is in the place and no artifact belongs to somebody: the run that follows refuses it.
  if ((await isInUse(place)) && !isWhole(place)) return;
  for (const path of await leftoversOf(place)) await rm(path, { recursive: true, force: true });
}

/**
 * Brings the place of another stage's artifact into order, for a stage that reads it: a finished one goes in where the place is empty, and
 * nothing is removed.
 *
 * @throws BertqaError, of the reader, if that stage is running
 */
export async function recoverInput(reader: string, place: string): Promise<void> {
  if ((await leftoversOf(place)).length === 0) return;
  const lock = await takeLock(basename(place), lockOf(place), reader);
  try {
    await restoreSurvivor(place);
  } finally {
    lock.release();
  }
}

/** The lock of the stage whose place it is. */
export function lockOf(place: string): string {
  return join(dirname(place), `.${basename(place)}.lock`);
}

async function restoreSurvivor(place: string): Promise<void> {
  if (await isInUse(place)) return;
  const [survivor] = (await leftoversOf(place)).filter(isWhole).toSorted((a, b) => rankOf(a) - rankOf(b));
  if (survivor === undefined) return;
  await rm(place, { recursive: true, force: true });
  await rename(survivor, place);
  await flushFolder(dirname(place));
}

async function isInUse(place: string): Promise<boolean> {
  return (await readdir(place).catch(() => [])).length > 0;
}

function isWhole(path: string): boolean {
  return existsSync(join(path, manifestName));
}

/** New ones first. */
function rankOf(path: string): number {
  return basename(path).includes(".new-") ? 0 : 1;
}

/** A name for a folder beside the place. */
function nameBeside(place: string, kind: "new" | "old"): string {
  return join(dirname(place), `.${basename(place)}.${kind}-${randomBytes(6).toString("hex")}`);
}

async function leftoversOf(place: string): Promise<string[]> {
  const parent = dirname(place);
  const prefixes = [".new-", ".old-"].map((infix) => `.${basename(place)}${infix}`);
  const names = await readdir(parent).catch(() => []);
  return names.filter((name) => prefixes.some((prefix) => name.startsWith(prefix))).map((name) => join(parent, name));
}

/**
 * Writes an artifact and swaps it in: until the new one is complete and on disk, the old one stays where it is.
 *
 * @param fill writes the files and returns what the manifest says of them
 * @throws BertqaError if the disk is full or the folder cannot be written; the old artifact is then untouched
 */
export async function writeArtifact(
  stage: string,
  place: string,
  fill: (draft: ArtifactDraft) => Promise<ArtifactDescription>,
): Promise<Artifact> {
  try {
    await mkdir(dirname(place), { recursive: true });
    await refuseForeignFolder(stage, place);
    // Not by `mkdtemp`, which makes folders for their owner alone: an artifact is as open as the user's umask says.
    const draftFolder = nameBeside(place, "new");
    await mkdir(draftFolder);
    const stopWatching = removeOnSignal(draftFolder);
    try {
      const draft = startDraft(draftFolder);
      const description = await fill(draft);
      await draft.seal(description);
      await refuseForeignFolder(stage, place); // once more: what came there since would be removed with the old artifact
      await swapIn(draftFolder, place);
      return await openArtifact(stage, place, description.kind);
    } finally {
      stopWatching();
      await rm(draftFolder, { recursive: true, force: true });
    }
  } catch (cause) {
    throw explainDiskError(stage, place, cause);
  }
}

async function swapIn(draftFolder: string, place: string): Promise<void> {
  const old = nameBeside(place, "old");
  const replaces = existsSync(place);
  if (replaces) await rename(place, old);
  try {
    await rename(draftFolder, place);
  } catch (cause) {
    if (replaces) await rename(old, place);
    throw cause;
  }
  await flushFolder(dirname(place));
  await rm(old, { recursive: true, force: true });
}

/**
 * Removes a folder beside the place under a name that the next start removes too: a run that is killed in the middle leaves no
 * half of it under the name at which it would be looked for.
 */
export async function removeBeside(place: string, folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const removed = nameBeside(place, "old");
  await rename(folder, removed);
  await rm(removed, { recursive: true, force: true });
}

/** Only an artifact of ours is ever replaced: a folder with other things in it belongs to somebody. */
async function refuseForeignFolder(stage: string, place: string): Promise<void> {
  const names: string[] = await readdir(place).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw cause;
  });
  if (names.length === 0 || names.includes(manifestName)) return;
  throw new BertqaError(stage, `${place} holds files that are no artifact (${names[0]} …)`, {
    remedy: `Move them away; if they are an artifact that was copied in part, remove them: rm -r ${place}`,
  });
}

/** On Ctrl-C, or where a supervisor ends the process, the draft goes too; SIGKILL leaves it to the next start. */
function removeOnSignal(folder: string): () => void {
  const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
  const handlers = Object.entries(signals).map(([signal, number]) => {
    const handler = () => {
      // A stage that handles the signal itself (training saves its state) ends by itself.
      if (process.listenerCount(signal) > 0) return;
      rmSync(folder, { recursive: true, force: true });
      process.exit(128 + number);
    };
    process.once(signal, handler);
    return { signal, handler };
  });
  return () => handlers.forEach(({ signal, handler }) => process.off(signal, handler));
}

/** A full or read-only disk as one line; any other error as it is. */
export function explainDiskError(stage: string, where: string, cause: unknown): unknown {
  const { code, syscall, path = where } = cause as NodeJS.ErrnoException;
  if (cause instanceof BertqaError || !code) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BertqaError(stage, "the disk is full", { remedy: "Free some space and run again", where, cause });
  }
  if (code === "EFBIG") {
    const remedy = "Raise `ulimit -f`, or use a disk that holds larger files";
    return new BertqaError(stage, "a file would be larger than is allowed: EFBIG", { remedy, where, cause });
  }
  // Node's recursive mkdir says ENOENT of a read-only disk.
  if (["EACCES", "EROFS", "EPERM", "ENOTDIR"].includes(code) || (code === "ENOENT" && syscall === "mkdir")) {
    const remedy = "See that it is a folder which you may write, on a disk that is not mounted read-only";
    return new BertqaError(stage, `the folder cannot be written: ${code}`, { remedy, where, cause });
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return new BertqaError(stage, `too many open files: ${code}`, { remedy: "Raise `ulimit -n`", where, cause });
  }
  if (code === "EEXIST" && syscall === "mkdir") {
    return new BertqaError(stage, "a file lies where a folder has to be", { where: path, cause });
  }
  if (code === "ENOTEMPTY" || code === "EEXIST") {
    return new BertqaError(stage, `something else wrote there at the same time: ${code}`, {
      remedy: "Let one run at a time write there, and run again",
      where,
      cause,
    });
  }
  if (code === "EIO") return new BertqaError(stage, "the disk reports an error: EIO", { where, cause });
  return cause;
}
