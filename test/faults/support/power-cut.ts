import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { SeededRandom } from "@bertqa/core";
import type { FileChange } from "./file-calls.ts";

interface File {
  readonly kind: "file";
  /** What is on disk for sure, and what was written since. */
  synced: Buffer;
  current: Buffer;
}
interface Folder {
  readonly kind: "folder";
  synced: Map<string, Node>;
  current: Map<string, Node>;
  /** Entries since the last sync, oldest first: a rename within the folder is one change. */
  pending: ReadonlyMap<string, Node>[];
}
type Node = File | Folder;

/** How much of what was not flushed a power cut leaves. */
interface Survival {
  readonly name: string;
  /** Of `count` changes of a folder's entries, how many of the oldest are kept: a journal keeps their order. */
  readonly entries: (count: number) => number;
  readonly data: (file: File) => Buffer;
}

/**
 * A file system that forgets: data that was not flushed, and entries (new names, renames, removals) of folders that were not. What
 * the best known ones promise is more (ext4 and XFS write entries in the order of the calls, over all folders); what POSIX
 * promises is this much.
 */
export class ForgetfulDisk {
  readonly #root: Folder;
  readonly #rootPath: string;

  /** @param path whose content is on disk for sure */
  constructor(path: string) {
    this.#rootPath = path;
    this.#root = folderAt(path);
  }

  apply(change: FileChange): void {
    const { kind, path, to } = change;
    if (kind === "open" || kind === "chmod") return;
    if (kind === "sync") return sync(this.#nodeAt(path));
    const [parent, name] = [this.#parentOf(path), path.slice(path.lastIndexOf(sep) + 1)];
    const found = parent.current.get(name);
    if (kind === "write") {
      if (found?.kind === "file") found.current = change.content!;
    } else if (kind === "create" && found?.kind === "file") found.current = Buffer.alloc(0);
    else if (kind === "create")
      enter(parent, { [name]: { kind: "file", synced: Buffer.alloc(0), current: Buffer.alloc(0) } });
    else if (kind === "mkdir")
      enter(parent, { [name]: { kind: "folder", synced: new Map(), current: new Map(), pending: [] } });
    else if (kind === "unlink" || kind === "rmdir") enter(parent, { [name]: undefined });
    else {
      const [other, newName] = [this.#parentOf(to!), to!.slice(to!.lastIndexOf(sep) + 1)];
      if (kind === "rename" && other === parent) enter(parent, { [name]: undefined, [newName]: found });
      else {
        enter(other, { [newName]: found });
        if (kind === "rename") enter(parent, { [name]: undefined });
      }
    }
  }

  /**
   * Puts what was asked for so far in the place of what lies in the folder, as a process leaves it that is killed.
   *
   * @param next the call that was at hand: half of a write is done
   */
  layOut(next: FileChange): void {
    rmSync(this.#rootPath, { recursive: true, force: true });
    write(this.#root, this.#rootPath, everything);
    if (next.kind !== "write") return;
    const before = readFileSync(next.path).length;
    writeFileSync(next.path, next.content!.subarray(0, before + ((next.content!.length - before) >> 1)));
  }

  /**
   * What may lie there when the power comes back, each written into a folder of its own.
   *
   * @param isWritten by name, what in the folder is of interest
   */
  *leaves(
    random: SeededRandom,
    makeFolder: () => string,
    isWritten: (name: string) => boolean,
  ): Generator<{ name: string; folder: string }> {
    for (const survival of survivals(random)) {
      const folder = makeFolder();
      write(this.#root, folder, survival, isWritten);
      yield { name: survival.name, folder };
    }
  }

  #nodeAt(path: string): Node | undefined {
    const names = relative(this.#rootPath, path)
      .split(sep)
      .filter((name) => name !== "");
    return names.reduce<Node | undefined>(
      (at, name) => (at?.kind === "folder" ? at.current.get(name) : undefined),
      this.#root,
    );
  }

  #parentOf(path: string): Folder {
    const parent = this.#nodeAt(dirname(path));
    if (parent?.kind !== "folder") throw new Error(`${dirname(path)} is no folder of the recorded run`);
    return parent;
  }
}

function folderAt(path: string): Folder {
  const entries = readdirSync(path, { withFileTypes: true }).map((entry): [string, Node] => {
    const full = join(path, entry.name);
    if (entry.isDirectory()) return [entry.name, folderAt(full)];
    const bytes = readFileSync(full);
    return [entry.name, { kind: "file", synced: bytes, current: bytes }];
  });
  return { kind: "folder", synced: new Map(entries), current: new Map(entries), pending: [] };
}

function enter(folder: Folder, entries: Readonly<Record<string, Node | undefined>>): void {
  const next = new Map(folder.current);
  for (const [name, node] of Object.entries(entries)) {
    if (node) next.set(name, node);
    else next.delete(name);
  }
  folder.current = next;
  folder.pending.push(next);
}

function sync(node: Node | undefined): void {
  if (node?.kind === "file") node.synced = node.current;
  if (node?.kind !== "folder") return;
  node.synced = node.current;
  node.pending = [];
}

const half = ({ current }: File) => current.subarray(0, current.length >> 1);

const everything: Survival = { name: "all of it", entries: (count) => count, data: ({ current }) => current };

function survivals(random: SeededRandom): Survival[] {
  const any = <T>(choices: readonly T[]) => choices[random.integerBelow(choices.length)] as T;
  const torn = (file: File) => (file.synced === file.current ? file.current : half(file));
  const zeroed = (file: File) => (file.synced === file.current ? file.current : Buffer.alloc(file.current.length));
  const synced = (file: File) => file.synced;
  const written = (file: File) => file.current;
  const [all, none] = [(count: number) => count, () => 0];
  const some = (count: number) => random.integerBelow(count + 1);
  return [
    { name: "nothing but what was flushed", entries: none, data: synced },
    { name: "all names, data that was flushed", entries: all, data: synced },
    { name: "all names, data cut short", entries: all, data: torn },
    { name: "all names, data zeroed", entries: all, data: zeroed },
    everything,
    ...[1, 2].map((number) => ({
      name: `some names and some data (${number})`,
      entries: some,
      data: (file: File) => any([synced, torn, written])(file),
    })),
  ];
}

function write(node: Folder, path: string, survival: Survival, isWritten = (_name: string) => true): void {
  mkdirSync(path, { recursive: true });
  const kept = survival.entries(node.pending.length);
  const entries = kept === 0 ? node.synced : (node.pending[kept - 1] as ReadonlyMap<string, Node>);
  for (const [name, each] of entries) {
    if (!isWritten(name)) continue;
    if (each.kind === "folder") write(each, join(path, name), survival);
    else writeFileSync(join(path, name), survival.data(each));
  }
}
