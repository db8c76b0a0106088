import { BertqaError, flushFolder } from "@bertqa/core";
import { explainDiskError, takeLock, type Lock } from "@bertqa/runner";
import { createHash, randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { hashPattern, namespacePattern, nameOf, type EntryKey } from "../names.ts";
import { DamagedEntryError, type OpenEntry, type Store, type StoredEntry } from "./store.ts";

const filePattern = /^([0-9a-f]{64})\.tar\.gz$/;

/**
 * A store in a folder: `entries/<namespace>/<hash>/<sha256>.tar.gz`. An entry is a folder of one file that bears its own sha256, so
 * that one rename brings both, and a rename onto an entry that exists fails: the first writer wins, without a lock.
 *
 * @throws BertqaError if another server has the folder, it is somebody else's, or it holds other things
 */
export async function openFolderStore(folder: string): Promise<Store> {
  const entries = join(folder, "entries");
  const scratchFolder = join(folder, "incoming");
  const lock = await claimFolder(folder, entries, scratchFolder).catch((cause: unknown) => {
    throw explainDiskError("cache-server", folder, cause);
  });
  const placeOf = (key: EntryKey) => join(entries, key.namespace, key.hash);

  return {
    scratchFolder,
    list: () => listEntries(entries),
    has: async (key) => (await fileOf(placeOf(key))) !== undefined,
    open: async (key) => {
      const name = await fileOf(placeOf(key));
      return name === undefined ? undefined : openChecked(join(placeOf(key), name), nameOf(key));
    },
    put: async (key, file) => {
      const whole = join(scratchFolder, randomBytes(12).toString("hex"));
      await mkdir(whole, { mode: 0o700 });
      try {
        await rename(file.path, join(whole, `${file.sha256}.tar.gz`));
        await flushFolder(whole);
        const parent = join(entries, key.namespace);
        await mkdir(parent, { recursive: true, mode: 0o700 });
        await rename(whole, placeOf(key));
        await flushFolder(parent);
        return true;
      } catch (error) {
        await rm(whole, { recursive: true, force: true });
        if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
        throw error;
      }
    },
    remove: async (key) => {
      const aside = join(scratchFolder, randomBytes(12).toString("hex"));
      // Aside first: an entry that is half removed would count as one.
      await rename(placeOf(key), aside).catch(unlessGone);
      await rm(aside, { recursive: true, force: true });
    },
    close: async () => lock.release(),
  };
}

/** Makes the folder this server's alone: others lose their rights to it, and what a killed server half received goes. */
async function claimFolder(folder: string, entries: string, scratchFolder: string): Promise<Lock> {
  const problem = (what: string, remedy: string) => new BertqaError("cache-server", what, { remedy, where: folder });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid } = await lstat(folder);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw problem("the folder belongs to another user", "Name a folder of your own");
  }
  const names = await readdir(folder);
  if (names.length > 0 && !names.includes("entries")) {
    throw problem(`the folder holds other things (${names[0]} …)`, "Name one that is empty or not there yet");
  }
  await mkdir(entries, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const lock = await takeLock("cache-server", join(folder, "server.lock"));
  await rm(scratchFolder, { recursive: true, force: true });
  await mkdir(scratchFolder, { mode: 0o700 });
  return lock;
}

async function* listEntries(entries: string): AsyncIterable<StoredEntry> {
  for (const namespace of await readdir(entries)) {
    if (!namespacePattern.test(namespace)) continue;
    for (const hash of await readdir(join(entries, namespace))) {
      const name = hashPattern.test(hash) ? await fileOf(join(entries, namespace, hash)) : undefined;
      if (name === undefined) continue;
      const { size, mtimeMs } = await lstat(join(entries, namespace, hash, name));
      yield { namespace, hash, bytes: size, usedMs: mtimeMs };
    }
  }
}

async function fileOf(place: string): Promise<string | undefined> {
  const names = await readdir(place).catch(unlessGone);
  return names?.find((name) => filePattern.test(name));
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** Reads the file through one handle, which is then given away: what was checked is what is sent, even if the entry goes meanwhile. */
async function openChecked(path: string, name: string): Promise<OpenEntry | undefined> {
  const file = await open(path, "r").catch(unlessGone);
  if (!file) return undefined;
  try {
    const sha256 = filePattern.exec(path.slice(path.lastIndexOf("/") + 1))?.[1] ?? "";
    const { bytes, found } = await sha256OfHandle(file);
    if (found !== sha256) throw new DamagedEntryError(`${name} has sha256 ${found}, it was written with ${sha256}`);
    const now = new Date();
    await file.utimes(now, now).catch(() => {}); // eviction then goes by an older time, no more
    return {
      bytes,
      sha256,
      stream: () => file.createReadStream({ start: 0, highWaterMark: 1 << 18 }),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function sha256OfHandle(file: FileHandle): Promise<{ bytes: number; found: string }> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(1 << 20);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, bytes);
    if (bytesRead === 0) return { bytes, found: hash.digest("hex") };
    hash.update(piece.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}
