import type { Readable } from "node:stream";
import type { EntryKey } from "../names.ts";
import type { ScratchFile } from "../scratch.ts";

/** What a store says of an entry without reading it. */
export interface StoredEntry extends EntryKey {
  readonly bytes: number;
  /** When it was last written or read, in milliseconds since 1970. */
  readonly usedMs: number;
}

/** An entry whose bytes were read once and have the sha256 that they had when they came. */
export interface OpenEntry {
  readonly bytes: number;
  readonly sha256: string;
  /** The bytes; the entry is closed when the stream ends or is destroyed. */
  stream(): Readable;
  close(): Promise<void>;
}

/** An entry's bytes are no longer those that were written. */
export class DamagedEntryError extends Error {}

/** Where entries lie: a folder or a bucket. One server writes to it at a time. */
export interface Store {
  /** An empty folder for bodies that are coming in. */
  readonly scratchFolder: string;
  list(): AsyncIterable<StoredEntry>;
  has(key: EntryKey): Promise<boolean>;
  /**
   * Reads an entry through and checks it, before its first byte is given away: Nx ends a run over a body that breaks off, and
   * takes an answer that says "not here" as it should.
   *
   * @returns undefined where there is none
   * @throws DamagedEntryError if its sha256 is another one than when it was written
   */
  open(key: EntryKey): Promise<OpenEntry | undefined>;
  /** Puts a file in place, whole or not at all. @returns false where the entry exists, which is left as it is */
  put(key: EntryKey, file: ScratchFile): Promise<boolean>;
  remove(key: EntryKey): Promise<void>;
  close(): Promise<void>;
}
