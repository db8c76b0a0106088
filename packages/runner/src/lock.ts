import { BertqaError } from "@bertqa/core";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isRunning, isSameMachine, ownMark, processMarkSchema, type ProcessMark } from "./processes.ts";

/** A lock of another host or container, whose processes cannot be seen from here, is believed for this long. */
const foreignLockMs = 7 * 24 * 3600 * 1000;

/** One run at a time writes at a stage's place. */
export interface Lock {
  release(): void;
}

/**
 * Takes a lock: a file that names its owner, made by `link`, which is atomic on network file systems too. The file is never
 * empty and its owner is known, so a process that was killed at any moment blocks nobody.
 *
 * @throws BertqaError naming the process that holds it
 */
export async function takeLock(stage: string, path: string): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true });
  const own = join(dirname(path), `${basename(path)}-${randomBytes(6).toString("hex")}`);
  await writeFile(own, JSON.stringify(ownMark()), { flag: "wx" });
  try {
    await removeAbandoned(stage, path);
    await link(own, path);
    return { release: () => rmSync(path, { force: true }) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new BertqaError(stage, `another run of ${stage} started at the same moment`, { where: path, cause });
  } finally {
    await rm(own, { force: true });
  }
}

async function removeAbandoned(stage: string, path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const owner = parseMark(text);
  if (owner && isSameMachine(owner, ownMark())) {
    if (isRunning(owner)) throw isHeld(stage, path, `process ${owner.pid}`, "Wait until it has ended");
  } else if (owner && Date.now() - (await stat(path)).mtimeMs < foreignLockMs) {
    throw isHeld(stage, path, `process ${owner.pid} of ${owner.host}`, `Wait for it, or delete ${path} if it is gone`);
  }
  await rm(path, { force: true });
}

function isHeld(stage: string, path: string, owner: string, remedy: string): BertqaError {
  return new BertqaError(stage, `another run of ${stage} (${owner}) is writing here`, { remedy, where: dirname(path) });
}

function parseMark(text: string): ProcessMark | undefined {
  try {
    return processMarkSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
