import fs, { type PathLike } from "node:fs";
import promises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join, resolve, sep } from "node:path";

/** One change that a program asks of the file system. */
export interface FileChange {
  /** `create` makes an empty file, or empties one; `sync` is of a file or a folder; `open` changes nothing, but may fail. */
  readonly kind: "open" | "create" | "write" | "sync" | "mkdir" | "rmdir" | "unlink" | "rename" | "link" | "chmod";
  readonly path: string;
  /** Of `rename` and `link`. */
  readonly to?: string;
  /** Of `write`: what the file holds after it. */
  readonly content?: Buffer;
}

export interface Fault {
  /** `kill`: a write is half done, and nothing that the process does afterwards reaches the disk. Else the error's code. */
  readonly kind: "kill" | "ENOSPC" | "EIO" | "EACCES" | "EMFILE";
  /** Which change fails, from 1. */
  readonly at: number;
  /** Every later change that makes or fills something fails too, as on a disk that stays full. */
  readonly isLasting?: boolean;
}

export interface Watched<T> {
  readonly result?: T;
  readonly error?: unknown;
  /** What was changed. */
  readonly changes: readonly FileChange[];
  /** What was asked for: opening a file changes nothing, but may fail too. */
  readonly calls: readonly FileChange[];
  /** The call that failed. */
  readonly failed?: FileChange;
}

class Killed extends Error {}

const real = { ...fs };
const realPromises = { ...promises };

/**
 * Runs something while every change that it makes under a folder, through `node:fs`, `node:fs/promises` or a file handle, is
 * written down, and the one that a fault names fails. A call that changes several things (a recursive removal, a file written
 * and flushed) counts as several changes. Flushes are written down, not made: they would only take time.
 */
export async function watchFiles<T>(
  root: string,
  fault: Fault | undefined,
  run: () => Promise<T>,
): Promise<Watched<T>> {
  const changes: FileChange[] = [];
  const calls: FileChange[] = [];
  let isDead = false;
  let failed: FileChange | undefined;
  const gate = (change: FileChange, half?: () => void): void => {
    if (isDead) throw new Killed(`after the end: ${change.kind} ${change.path}`);
    calls.push(change);
    const isNow = fault && (calls.length === fault.at || (fault.isLasting && failed && needsRoom(change)));
    // A write is written down when it is done, with what the file then holds; "open" changes nothing.
    if (!isNow) return void (change.kind === "write" || change.kind === "open" || changes.push(change));
    failed ??= change;
    if (fault.kind === "kill") {
      half?.();
      isDead = true;
      throw new Killed(`${change.kind} ${change.path}`);
    }
    if (fault.kind === "ENOSPC") half?.();
    const message = `${fault.kind}: made to fail, ${change.kind} '${change.path}'`;
    throw Object.assign(new Error(message), { code: fault.kind, syscall: change.kind, path: change.path });
  };
  const restore = install(resolve(root), gate, (change) => void changes.push(change));
  try {
    const result = await run();
    return { result, changes, calls, ...(failed ? { failed } : {}) };
  } catch (error) {
    return { error, changes, calls, ...(failed ? { failed } : {}) };
  } finally {
    restore();
  }
}

function needsRoom({ kind }: FileChange): boolean {
  return kind === "create" || kind === "write" || kind === "mkdir";
}

type Gate = (change: FileChange, half?: () => void) => void;
type Content = string | NodeJS.ArrayBufferView;

/** Puts watching functions in the place of Node's. @returns puts Node's back */
function install(root: string, gate: Gate, note: (change: FileChange) => void): () => void {
  const isInside = (path: unknown): path is string =>
    typeof path === "string" && (path === root || resolve(path).startsWith(root + sep));
  const paths = new Map<number, string>();
  const handles = new WeakMap<object, string>();

  /** @returns to be called when the write is done */
  const gateWrite = (path: string, data: Content): (() => void) => {
    const bytes =
      typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    gate({ kind: "write", path }, () => appendHalf(path, bytes));
    return () => note({ kind: "write", path, content: real.readFileSync(path) });
  };
  const gateOpen = (path: string, flags: unknown) => {
    const makes = /[wa]/.test(String(flags));
    gate({ kind: makes && !(String(flags).startsWith("a") && real.existsSync(path)) ? "create" : "open", path });
  };

  const writeWhole = (path: string, data: Content, options: unknown, flag: string) => {
    const {
      mode,
      flush,
      flag: given = flag,
    } = (typeof options === "object" && options !== null ? options : {}) as fs.WriteFileOptions & {
      mode?: number;
      flush?: boolean;
      flag?: string;
    };
    gateOpen(path, given);
    const fd = real.openSync(path, given, mode);
    try {
      const done = gateWrite(path, data);
      if (typeof data === "string") real.writeSync(fd, data);
      else for (let at = 0; at < data.byteLength;) at += real.writeSync(fd, data, at, data.byteLength - at);
      done();
      if (flush) {
        gate({ kind: "sync", path }); // no power is cut here: waiting for the disk would tell nothing
      }
    } finally {
      real.closeSync(fd);
    }
  };
  const makeFolder = (path: string, options: unknown): string | undefined => {
    const { recursive = false, mode } = (typeof options === "object" && options !== null ? options : {}) as {
      recursive?: boolean;
      mode?: number;
    };
    if (!recursive) {
      if (!real.existsSync(path)) gate({ kind: "mkdir", path });
      real.mkdirSync(path, { mode: mode ?? 0o777 });
      return undefined;
    }
    if (real.existsSync(path)) return undefined;
    const first = makeFolder(dirname(path), options);
    gate({ kind: "mkdir", path });
    real.mkdirSync(path, { mode: mode ?? 0o777 });
    return first ?? path;
  };
  const makeTemporaryFolder = (prefix: string): string => {
    gate({ kind: "open", path: prefix }); // its name is known when it is there
    const path = real.mkdtempSync(prefix);
    note({ kind: "mkdir", path });
    return path;
  };
  const remove = (path: string, options: fs.RmOptions = {}) => {
    const found = real.lstatSync(path, { throwIfNoEntry: false });
    if (!found && options.force) return;
    if (!found?.isDirectory()) {
      gate({ kind: "unlink", path });
      return real.rmSync(path, options);
    }
    if (!options.recursive) return real.rmSync(path, options);
    for (const name of real.readdirSync(path).sort()) remove(join(path, name), options);
    gate({ kind: "rmdir", path });
    real.rmdirSync(path);
  };
  const copy = (from: string, to: string, mode?: number) => {
    gate({ kind: "create", path: to });
    real.writeFileSync(to, "");
    const done = gateWrite(to, real.readFileSync(from));
    real.copyFileSync(from, to, mode);
    done();
  };
  const move = (from: string, to: string) => {
    if (real.existsSync(from)) gate({ kind: "rename", path: from, to });
    real.renameSync(from, to);
  };
  const link = (from: string, to: string) => {
    if (!real.existsSync(to)) gate({ kind: "link", path: from, to });
    real.linkSync(from, to);
  };
  const plain =
    (kind: FileChange["kind"], name: "unlinkSync" | "rmdirSync" | "chmodSync" | "truncateSync") =>
    (path: string, ...rest: unknown[]) => {
      gate({ kind, path });
      return (real[name] as (...all: unknown[]) => unknown)(path, ...rest);
    };

  /** By the names of the synchronous functions without `Sync`, which are those of `node:fs/promises`. */
  const changing: Record<string, (...all: never[]) => unknown> = {
    writeFile: (path: string, data: Content, options?: unknown) => writeWhole(path, data, options, "w"),
    appendFile: (path: string, data: Content, options?: unknown) => writeWhole(path, data, options, "a"),
    mkdir: makeFolder,
    mkdtemp: makeTemporaryFolder,
    rm: remove,
    rename: move,
    copyFile: (from: string, to: string, mode?: number) => copy(from, to, mode),
    link,
    unlink: plain("unlink", "unlinkSync"),
    rmdir: plain("rmdir", "rmdirSync"),
    chmod: plain("chmod", "chmodSync"),
    truncate: plain("create", "truncateSync"),
  };
  /** Where a call's second path is the one that changes. */
  const target = (name: string, args: readonly unknown[]) =>
    name === "copyFile" || name === "link" ? args[1] : args[0];
  const patchedPromises: Record<string, unknown> = {};
  const patched: Record<string, unknown> = {};
  for (const [name, change] of Object.entries(changing)) {
    const [sync, async] = [`${name}Sync` as "rmSync", name as "rm"];
    patched[sync] = (...args: unknown[]) =>
      isInside(target(name, args))
        ? change(...(args as never[]))
        : (real[sync] as (...all: unknown[]) => unknown)(...args);
    patchedPromises[async] = async (...args: unknown[]) =>
      isInside(target(name, args))
        ? change(...(args as never[]))
        : (realPromises[async] as (...all: unknown[]) => unknown)(...args);
  }
  // What streams write through.
  patched["open"] = (path: PathLike, ...rest: unknown[]) => {
    const done = rest.at(-1) as (error: Error | null, fd?: number) => void;
    const flags = rest.length > 1 ? rest[0] : "r";
    if (!isInside(path) || flags === "r") return (real.open as (...all: unknown[]) => void)(path, ...rest);
    attempt(done, () => {
      gateOpen(path, flags);
      const fd = real.openSync(path, flags as string);
      paths.set(fd, path);
      return fd;
    });
  };
  patched["write"] = (fd: number, data: Content, ...rest: unknown[]) => {
    const path = paths.get(fd);
    if (path === undefined) return (real.write as (...all: unknown[]) => void)(fd, data, ...rest);
    attempt(rest.at(-1) as (error: Error | null, bytes?: number) => void, () => {
      const noted = gateWrite(path, data);
      const bytes = real.writeSync(
        fd,
        data as NodeJS.ArrayBufferView,
        ...(rest.slice(0, -1) as [number, number, number]),
      );
      noted();
      return bytes;
    });
  };
  patched["writev"] = (fd: number, parts: NodeJS.ArrayBufferView[], ...rest: unknown[]) => {
    const path = paths.get(fd);
    if (path === undefined) return (real.writev as (...all: unknown[]) => void)(fd, parts, ...rest);
    attempt(rest.at(-1) as (error: Error | null, bytes?: number) => void, () => {
      const noted = gateWrite(path, Buffer.concat(parts as Buffer[]));
      const bytes = real.writevSync(fd, parts);
      noted();
      return bytes;
    });
  };

  patchedPromises["open"] = async (path: string, flags: string | number = "r", mode?: number) => {
    if (isInside(path)) gateOpen(path, flags);
    const handle = await realPromises.open(path, flags, mode);
    if (isInside(path)) handles.set(handle, path);
    patchHandles(handle);
    return handle;
  };
  let unpatchHandles: (() => void) | undefined;
  /** The class of file handles is nowhere exported: it is patched when the first one is there. */
  function patchHandles(handle: FileHandle): void {
    if (unpatchHandles) return;
    const prototype = Object.getPrototypeOf(handle) as Record<string, (...all: unknown[]) => Promise<unknown>>;
    const kept = Object.fromEntries(
      ["write", "writev", "writeFile", "sync", "datasync", "truncate"].map((name) => [name, prototype[name]!]),
    );
    for (const [name, original] of Object.entries(kept)) {
      prototype[name] = async function (this: object, ...args: unknown[]) {
        const path = handles.get(this);
        if (path === undefined) return await original.apply(this, args);
        if (name === "sync" || name === "datasync") return gate({ kind: "sync", path });
        if (name === "truncate") gate({ kind: "create", path });
        else {
          const data = name === "writev" ? Buffer.concat(args[0] as Buffer[]) : (args[0] as Content);
          const done = gateWrite(path, data);
          const result = await original.apply(this, args);
          done();
          return result;
        }
        return await original.apply(this, args);
      };
    }
    unpatchHandles = () => void Object.assign(prototype, kept);
  }

  Object.assign(fs, patched);
  Object.assign(promises, patchedPromises);
  syncBuiltinESMExports();
  return () => {
    unpatchHandles?.();
    Object.assign(fs, Object.fromEntries(Object.keys(patched).map((name) => [name, real[name as "rmSync"]])));
    Object.assign(
      promises,
      Object.fromEntries(Object.keys(patchedPromises).map((name) => [name, realPromises[name as "rm"]])),
    );
    syncBuiltinESMExports();
  };
}

function appendHalf(path: string, bytes: Buffer): void {
  const fd = real.openSync(path, "a");
  real.writeSync(fd, bytes, 0, bytes.length >> 1);
  real.closeSync(fd);
}

function attempt<T>(done: (error: Error | null, value?: T) => void, act: () => T): void {
  let value: T;
  try {
    value = act();
  } catch (error) {
    return void process.nextTick(done, error);
  }
  process.nextTick(done, null, value);
}
