import { BertqaError } from "@bertqa/squad";
import { createReadStream } from "node:fs";
import { inputBytes } from "../limits.ts";

/**
 * Content of a text file, or of standard input for "-".
 *
 * @param what names it in the message
 * @throws BertqaError if it cannot be read, is not in UTF-8, or is longer than {@link inputBytes}
 */
export async function readInput(file: string, what: string): Promise<string> {
  const content = await readTextFile(file, what, inputBytes);
  if (content !== undefined) return content;
  const problem = `${what} is longer than ${inputBytes / 1024 ** 2} MiB`;
  throw new BertqaError("bertqa", problem, { remedy: "Give it in parts", ...placeOf(file) });
}

/**
 * @returns undefined where it is longer than so many bytes
 * @throws BertqaError if it cannot be read, or is not in UTF-8
 */
export async function readTextFile(file: string, what: string, mostBytes: number): Promise<string | undefined> {
  try {
    return await readText(file === "-" ? process.stdin : createReadStream(file), mostBytes);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
      const remedy = "Save it as UTF-8 text";
      throw new BertqaError("bertqa", `${what} is not in UTF-8`, { remedy, ...placeOf(file), cause });
    }
    throw new BertqaError("bertqa", `${what} cannot be read: ${(cause as Error).message}`, { ...placeOf(file), cause });
  }
}

function placeOf(file: string): { readonly where?: string } {
  return file === "-" ? {} : { where: file };
}

/**
 * Reads a stream of UTF-8, whose byte order mark is no part of the text.
 *
 * @returns undefined as soon as it proves longer than so many bytes
 * @throws TypeError for bytes that are no UTF-8
 */
export async function readText(stream: AsyncIterable<unknown>, mostBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length;
    if (bytes > mostBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}
