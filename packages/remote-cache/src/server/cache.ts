import type { EntryKey } from "../names.ts";
import type { ScratchFile } from "../scratch.ts";
import { Inventory } from "./eviction.ts";
import { DamagedEntryError, type OpenEntry, type Store } from "./store.ts";
import type { Grant } from "./tokens.ts";

/** What a cache tells of itself, for logs and metrics. */
export interface CacheEvents {
  damaged(key: EntryKey, problem: string): void;
  evicted(key: EntryKey, bytes: number): void;
}

type PutResult = "stored" | "exists" | "forbidden";

/** Results by hash, in namespaces: what a token may see and where what it sends goes is decided here, and nowhere else. */
export interface Cache {
  readonly scratchFolder: string;
  readonly inventory: Inventory;
  /** Whether the holder would find the hash. */
  has(grant: Grant, hash: string): Promise<boolean>;
  /** The entry in the first of the holder's namespaces that has it. A damaged one is dropped, so that it can be written anew. */
  open(grant: Grant, hash: string): Promise<OpenEntry | undefined>;
  /** Puts a file into the one namespace that the holder writes to; what the holder can see already is never replaced. */
  put(grant: Grant, hash: string, file: ScratchFile): Promise<PutResult>;
  close(): Promise<void>;
}

/** @param mostBytes how much the store may hold; the longest unused entries go beyond it */
export async function openCache(store: Store, mostBytes: number, events: CacheEvents): Promise<Cache> {
  const inventory = new Inventory();
  for await (const entry of store.list()) inventory.add(entry);

  const drop = async (key: EntryKey) => {
    inventory.remove(key);
    await store.remove(key);
  };
  const evict = async () => {
    for (const entry of inventory.overflow(mostBytes)) {
      await drop(entry);
      events.evicted(entry, entry.bytes);
    }
  };
  const has = async (grant: Grant, hash: string) => {
    for (const namespace of grant.reads) if (await store.has({ namespace, hash })) return true;
    return false;
  };
  await evict();

  return {
    scratchFolder: store.scratchFolder,
    inventory,
    has,
    open: async (grant, hash) => {
      for (const namespace of grant.reads) {
        const key = { namespace, hash };
        try {
          const entry = await store.open(key);
          if (!entry) continue;
          inventory.touch(key, Date.now());
          return entry;
        } catch (error) {
          if (!(error instanceof DamagedEntryError)) throw error;
          events.damaged(key, error.message);
          await drop(key);
        }
      }
      return undefined;
    },
    put: async (grant, hash, file) => {
      const namespace = grant.writes;
      if (namespace === null) return "forbidden";
      if (await has(grant, hash)) return "exists";
      if (!(await store.put({ namespace, hash }, file))) return "exists";
      inventory.add({ namespace, hash, bytes: file.bytes, usedMs: Date.now() });
      await evict();
      return "stored";
    },
    close: () => store.close(),
  };
}
