import { isRunning, isSameMachine, ownMark, processMarkSchema, type ProcessMark } from "@bertqa/runner";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * While an install runs it works in `<root>/.partial-<random>`, and moves what is complete into its place. `owner.json` says whose
 * it is: by host, start of the machine and process namespace, since two containers with one volume may both be process 1.
 */

const prefix = ".partial-";
const ownerName = "owner.json";
const dayMs = 24 * 60 * 60 * 1000;

/** Makes an empty working folder. @returns its path */
export function makePartialFolder(root: string): string {
  mkdirSync(root, { recursive: true });
  const folder = mkdtempSync(join(root, prefix));
  writeFileSync(join(folder, ownerName), JSON.stringify(ownMark()));
  return folder;
}

/** Removes what installs that were killed left behind: those of this machine whose process is gone, and any that is a day old. */
export function removeLeftovers(root: string): void {
  for (const name of readdirSync(root).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(root, name);
    const owner = readOwner(folder);
    const isGone = owner !== undefined && isSameMachine(owner, ownMark()) && !isRunning(owner);
    if (isGone || isOld(folder)) rmSync(folder, { recursive: true, force: true });
  }
}

function isOld(folder: string): boolean {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > dayMs;
}

function readOwner(folder: string): ProcessMark | undefined {
  try {
    return processMarkSchema.parse(JSON.parse(readFileSync(join(folder, ownerName), "utf8")));
  } catch {
    return undefined; // killed before it was written, or another's install that is being removed
  }
}
