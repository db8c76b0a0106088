import { nameOf, sharedNamespace, type EntryKey } from "../names.ts";
import type { StoredEntry } from "./store.ts";

/** What a cache holds, in memory: how much it is, and what goes first when it is too much. */
export class Inventory {
  readonly #entries = new Map<string, StoredEntry>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#entries.size;
  }

  add(entry: StoredEntry): void {
    this.remove(entry);
    this.#entries.set(nameOf(entry), entry);
    this.#bytes += entry.bytes;
  }

  remove(key: EntryKey): void {
    const entry = this.#entries.get(nameOf(key));
    if (!entry) return;
    this.#entries.delete(nameOf(key));
    this.#bytes -= entry.bytes;
  }

  touch(key: EntryKey, usedMs: number): void {
    const entry = this.#entries.get(nameOf(key));
    if (entry) this.#entries.set(nameOf(key), { ...entry, usedMs });
  }

  /**
   * What must go for the cache to hold no more than a number of bytes: the longest unused first, and those of writers who are not
   * trusted before the shared ones, so that a pull request cannot push main's results out.
   */
  overflow(mostBytes: number): StoredEntry[] {
    if (this.#bytes <= mostBytes) return [];
    const isShared = (entry: StoredEntry) => Number(entry.namespace === sharedNamespace);
    const order = [...this.#entries.values()].sort((a, b) => isShared(a) - isShared(b) || a.usedMs - b.usedMs);
    const victims: StoredEntry[] = [];
    let left = this.#bytes;
    for (const entry of order) {
      if (left <= mostBytes) break;
      victims.push(entry);
      left -= entry.bytes;
    }
    return victims;
  }
}
