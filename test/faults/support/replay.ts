import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { watchFiles, type FileChange } from "./file-calls.ts";
import { ForgetfulDisk } from "./power-cut.ts";
import { isChosen, isFull, randomOf } from "./scale.ts";
import type { Tally } from "./tally.ts";

/** Something that replaces an artifact, and how its result is looked at. */
export interface Writer {
  readonly name: string;
  /** Where it writes, with whatever else lies there. */
  readonly folder: string;
  /** Of the artifact that a run replaces, and of the one that it writes. */
  readonly hashes: { readonly before: string; readonly now: string };
  /** Brings the folder to the state before a run. */
  reset(): Promise<void>;
  /** @returns the hash of what was written */
  run(): Promise<string>;
  /** Lets what a run of this process left look like that of a process that is gone. */
  forgetOwner(): void;
  /** @returns the hash of the artifact in a copy of the folder, or why it is refused */
  open(folder: string): Promise<{ readonly sha256: string } | { readonly refused: string }>;
  /** What lies there after a run that should not. */
  leftovers(): readonly string[];
}

/** Looks at the artifact in the folder; it must be one of `expected`, whole. */
export async function lookAt(
  writer: Writer,
  { folder, expected, what }: { folder: string; expected: readonly string[]; what: string },
  tally: Tally,
): Promise<void> {
  const { result: found, error } = await watchFiles(folder, undefined, () => writer.open(folder));
  if (!found) throw error;
  if ("refused" in found) tally.find("lost", `${what}: ${found.refused}`);
  else if (!expected.includes(found.sha256)) tally.find("accepted", `${what}: ${found.sha256}`);
}

/** Runs once more: it must end with the bytes of an undisturbed run, and nothing left over. */
export async function runAgain(writer: Writer, what: string, tally: Tally): Promise<void> {
  const { result, error } = await watchFiles(writer.folder, undefined, () => writer.run());
  if (result !== writer.hashes.now) tally.find("lost", `the run after ${what}`, error ?? result);
  const left = writer.leftovers();
  if (left.length > 0) tally.find("other", `after ${what} there is left: ${left.join(", ")}`);
}

async function record(writer: Writer): Promise<{ disk: ForgetfulDisk; changes: readonly FileChange[] }> {
  await writer.reset();
  const disk = new ForgetfulDisk(writer.folder);
  const { changes, error } = await watchFiles(writer.folder, undefined, () => writer.run());
  if (error) throw new Error(`the undisturbed run of ${writer.name}`, { cause: error });
  return { disk, changes };
}

/**
 * Kills a run at each change of files in turn, in the middle of a write. Nothing that a process asks for after its end reaches the
 * disk, so one run is recorded, and what a kill leaves is laid out from the record.
 */
export async function killEverywhere(writer: Writer, tally: Tally, isAll = isFull): Promise<void> {
  const { disk, changes } = await record(writer);
  const proven = new Set<string>();
  const { before, now } = writer.hashes;
  for (const [at, change] of changes.entries()) {
    if (isAll || isChosen(8, "kill", writer.name, at)) {
      const what = `a kill of ${writer.name} at change ${at + 1}, ${change.kind} ${change.path}`;
      const layOut = () => {
        disk.layOut(change);
        writer.forgetOwner();
      };
      layOut();
      const state = stateOf(writer.folder);
      await lookAt(writer, { folder: writer.folder, expected: [before, now], what }, tally);
      if (!proven.has(state)) {
        proven.add(state);
        layOut();
        await runAgain(writer, what, tally);
      }
      tally.count("kills");
    }
    disk.apply(change);
  }
}

/**
 * What the next run finds. Drafts, partial files, locks and logs it removes unread: of these the names count alone. So one run
 * tells for all states that differ in nothing else.
 */
export function stateOf(folder: string): string {
  const hash = createHash("sha256");
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = names.map((entry) => ({ path: join(entry.parentPath, entry.name), isFile: entry.isFile() }));
  for (const { path, isFile } of paths.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = relative(folder, path);
    hash.update(`${name.replaceAll(/-[0-9a-f]{12}/g, "-x")}\n`);
    const isUnread = /(^|\/)\.[a-z]+\.(new-|lock)|\.partial(\/|$)|\.log\//.test(name);
    if (isFile && !isUnread) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}

/** What was done to a disk, one change after another. */
export interface Recorded {
  readonly disk: ForgetfulDisk;
  readonly changes: readonly FileChange[];
  readonly name: string;
  /** By name, what of it is looked at. */
  readonly isOwn?: (name: string) => boolean;
}

/**
 * Cuts the power after each change, or in the short form after some of them.
 *
 * @param look is given the number of changes before the cut, and what lies there then
 */
export async function cutEverywhere(
  { disk, changes, name: stream, isOwn = () => true }: Recorded,
  tally: Tally,
  look: (after: number, folder: string, what: string) => Promise<void>,
  isAll = isFull,
): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), "bertqa-cut-"));
  const random = randomOf("power cut", stream);
  let replayed = 0;
  for (let after = 0; after <= changes.length; after++) {
    if (after > 0) disk.apply(changes[after - 1]!);
    if (!isAll && after < changes.length && !isChosen(3, "cut", stream, after)) continue;
    const makeFolder = () => join(parent, String(replayed++));
    for (const { name, folder } of disk.leaves(random, makeFolder, isOwn)) {
      const last = changes[after - 1];
      await look(after, folder, `${stream} after ${after} changes (${last?.kind} ${last?.path}), ${name}`);
      rmSync(folder, { recursive: true, force: true });
    }
  }
  rmSync(parent, { recursive: true });
  tally.count("prefixes replayed", replayed);
}

/** Cuts the power everywhere in a writer's run: the old artifact or the new one is there; once the run has ended, the new one. */
export async function cutWriter(writer: Writer, tally: Tally, isAll = isFull): Promise<void> {
  const { disk, changes } = await record(writer);
  const { name } = writer;
  const { before, now } = writer.hashes;
  const isOwn = (entry: string) => entry.startsWith(name) || entry.startsWith(`.${name}`);
  const look = (after: number, folder: string, what: string) =>
    lookAt(writer, { folder, expected: after === changes.length ? [now] : [before, now], what }, tally);
  await cutEverywhere({ disk, changes, name, isOwn }, tally, look, isAll);
}
