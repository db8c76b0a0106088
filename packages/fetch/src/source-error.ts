import { lfsPointerStart } from "@bertqa/formats";
import { readFile, stat } from "node:fs/promises";

/** For a file that is another than the pinned one. */
export const pinRemedy = "Check its bytes and sha256 in fetch.json, or take another source";

/** Why one source did not give a file; the next source has its turn. Its message is the part after `<address>: `. */
export class SourceError extends Error {
  /** What to do, where it is not about the network. */
  readonly remedy: string | undefined;

  constructor(reason: string, details: { readonly cause?: unknown; readonly remedy?: string } = {}) {
    super(reason, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SourceError";
    this.remedy = details.remedy;
  }
}

/** A pointer is shorter. */
const longestPointerBytes = 1024;

/**
 * Refuses what a clone without Git LFS, or an address of the "raw" file, has in place of a large file.
 *
 * @throws SourceError if the file is such a pointer
 */
export async function refuseLfsPointer(path: string, label: string): Promise<void> {
  if ((await stat(path)).size > longestPointerBytes) return;
  if (!(await readFile(path, "utf8")).startsWith(lfsPointerStart)) return;
  const remedy = "Run git lfs pull where it was cloned, or take the address that gives the file itself";
  throw new SourceError(`${label} is a pointer of Git LFS, not the file itself`, { remedy });
}
