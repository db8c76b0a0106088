import { temporaryFolderError } from "@bertqa/core";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stream, type Readable } from "node:stream";

/** A body that came in whole: written aside, flushed to the disk, its sha256 taken on the way. */
export interface ScratchFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  remove(): Promise<void>;
}

/** A new folder for such files. @param part whose it is, for the message. @throws BertqaError if it cannot be made */
export async function makeScratchFolder(part: string, prefix: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), prefix));
  } catch (cause) {
    throw temporaryFolderError(part, cause);
  }
}

/** The body was longer or shorter than was said. */
export class BodyLengthError extends Error {}

/**
 * Writes a body into a new file of a folder, a piece at a time.
 *
 * @param expectedBytes its length, as the sender gave it
 * @throws BodyLengthError if it has another length; whatever the stream throws; the file is gone then
 */
export async function spool(
  body: Readable | AsyncIterable<Uint8Array>,
  folder: string,
  expectedBytes: number,
): Promise<ScratchFile> {
  // It may break off while the file is being opened; whoever reads it then finds the error all the same.
  if (body instanceof Stream) body.on("error", () => {});
  const path = join(folder, randomBytes(12).toString("hex"));
  const file = await open(path, "wx", 0o600);
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      bytes += piece.length;
      if (bytes > expectedBytes) throw new BodyLengthError(`the body has more than the ${expectedBytes} bytes it said`);
      hash.update(piece);
      await file.writeFile(piece);
    }
    if (bytes < expectedBytes) throw new BodyLengthError(`the body ended after ${bytes} of ${expectedBytes} bytes`);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
  await file.close();
  return { path, bytes, sha256: hash.digest("hex"), remove: () => rm(path, { force: true }) };
}
