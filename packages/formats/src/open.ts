import { BertqaError, parseDataJson, type RawRow } from "@bertqa/squad";
import { constants as bufferLimits } from "node:buffer";
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { delimiterOf, headerOf, rowsOfCsv } from "./csv.ts";
import { FormatError } from "./format-error.ts";
import { rowsOfEntries, rowsOfJson, type LaidOutRows } from "./json.ts";
import { expectedColumns } from "./table.ts";

/** A file's questions as they are in it, and what the file was taken for. */
export interface QuestionFile {
  /** For people: `SQuAD`, `rows, a line each (JSON Lines), gzip`. */
  readonly format: string;
  readonly rows: RawRow[];
}

/** What is known of a file before it is read. */
export interface FileFacts {
  /** For messages; its path otherwise. */
  readonly name?: string;
  /** Of the bytes that are read. */
  readonly sha256?: string | undefined;
}

/**
 * Reads a file of questions by its content, whatever its name: JSON in SQuAD's and other layouts, JSON Lines, CSV, TSV,
 * Parquet, each also compressed with gzip.
 *
 * @throws BertqaError naming the file and what it looks like, where it is none of these or too large for one text
 */
export async function openQuestionFile(stage: string, path: string, file: FileFacts = {}): Promise<QuestionFile> {
  const { name = path, sha256 } = file;
  try {
    const bytes = await readWhole(path);
    if (sha256 !== undefined && createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new FormatError("it changed since it was checked", "Run again");
    }
    return await rowsOfBytes(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const details = error.remedy === undefined ? {} : { remedy: error.remedy };
    const problem = error.message.startsWith("it ") ? error.message.slice(2) : `: ${error.message}`;
    throw new BertqaError(stage, `${name}${problem}`, { ...details, cause: error });
  }
}

/** V8's longest text, about 536 million characters. */
const longestText = bufferLimits.MAX_STRING_LENGTH;

function tooLarge(bytes: number | undefined, what: string): FormatError {
  const size =
    bytes === undefined ? `more than ${(longestText / 1e6).toFixed(0)} MB` : `${(bytes / 1e6).toFixed(0)} MB`;
  return new FormatError(
    `${what} ${size}, and Node.js holds no text of more than ${(longestText / 1e6).toFixed(0)} MB`,
    "Take a part of it (as JSON Lines, `head -n 500000`), or give it as Parquet",
  );
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readUpToLimit(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    if (code === "EISDIR") throw new FormatError("it is a folder", "Name a file");
    throw new FormatError(code === "ENOENT" ? "it does not exist" : `it cannot be read: ${code}`);
  }
}

async function readUpToLimit(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(4);
    await handle.read(head, 0, 4, 0);
    const isText = !isGzip(head) && !isParquet(head);
    if (size > (isText ? longestText : 2 ** 31 - 1)) throw tooLarge(size, "it has");
  } finally {
    await handle.close();
  }
  return readFile(path);
}

async function rowsOfBytes(bytes: Uint8Array): Promise<QuestionFile> {
  if (isGzip(bytes)) {
    const { format, rows } = await rowsOfBytes(unpack(bytes));
    return { format: `${format}, gzip`, rows };
  }
  if (isParquet(bytes)) {
    const { rowsOfParquet } = await import("./parquet.ts");
    return { format: "Parquet", rows: await rowsOfParquet(bytes) };
  }
  for (const [magic, what, remedy] of otherFiles) {
    if (startsWith(bytes, magic)) throw new FormatError(`this is ${what}, which is not read`, remedy);
  }
  return rowsOfText(decode(bytes));
}

/** How a pointer of Git LFS begins. */
export const lfsPointerStart = "version https://git-lfs.github.com/";

const otherFiles = [
  ["PK\x03\x04", "a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV"],
  ["ARROW1", "an Arrow file", "Save it as Parquet or JSON Lines: dataset.to_parquet(…), dataset.to_json(…)"],
  [
    "\xff\xff\xff\xff",
    "an Arrow stream of datasets",
    "Save it as Parquet or JSON Lines: dataset.to_parquet(…), dataset.to_json(…)",
  ],
  ["SQLite", "an SQLite database", "Export its table as CSV"],
  ["BZh", "a bzip2 file", "Unpack it"],
  ["\xfd7zXZ", "an xz file", "Unpack it"],
  ["\x28\xb5\x2f\xfd", "a zstd file", "Unpack it"],
  [lfsPointerStart, "a pointer of Git LFS, not the file itself", "Run git lfs pull where it was cloned"],
  ["\x80", "a pickle file, which could run code", "Save it as CSV or JSON Lines"],
] as const;

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function isParquet(bytes: Uint8Array): boolean {
  return startsWith(bytes, "PAR1");
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  return [...magic].every((character, i) => bytes[i] === character.charCodeAt(0));
}

function unpack(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: longestText });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(undefined, "unpacked it has");
    throw new FormatError(`it is not a whole gzip file: ${(error as Error).message}`);
  }
}

function decode(bytes: Uint8Array): string {
  // Excel's "Unicode text".
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    throw new FormatError("it is UTF-16 with its bytes swapped", "Save it as UTF-8");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError("it is not UTF-8", "Save it as UTF-8 (in Excel: CSV UTF-8)");
  }
}

/** Reads a text: JSON, JSON Lines, CSV or TSV. @throws FormatError */
export function rowsOfText(text: string): LaidOutRows {
  const start = text.search(/\S/);
  if (start < 0) throw new FormatError("it is empty");
  const isJsonList = text[start] === "{" || text[start] === "[";
  if (!isJsonList && !(text.length < 1000 && isJson(text))) return rowsOfDelimited(text);
  let value: unknown;
  try {
    value = parseDataJson(text);
  } catch (error) {
    const lines = jsonLines(text);
    if (lines) return lines;
    throw new FormatError(`it is not valid JSON: ${(error as Error).message}`, "Fix the file and run again");
  }
  return rowsOfJson(value);
}

/** JSON Lines: more than one line, of which the first is a value by itself. */
function jsonLines(text: string): LaidOutRows | undefined {
  const lines = text.split("\n");
  const filled = lines.map((line, i) => ({ line, number: i + 1 })).filter(({ line }) => line.trim() !== "");
  if (filled.length < 2 || !isJson(filled[0]?.line ?? "")) return undefined;
  const entries = filled.map(({ line, number }) => {
    try {
      return { value: parseDataJson(line), place: `line ${number}` };
    } catch (error) {
      throw new FormatError(
        `line ${number} of its JSON Lines is not valid JSON: ${(error as Error).message}`,
        "Fix the file and run again",
      );
    }
  });
  const { format, rows } = rowsOfEntries(entries);
  return { format: `${format}, JSON Lines`, rows };
}

function isJson(line: string): boolean {
  try {
    parseDataJson(line);
    return true;
  } catch {
    return false;
  }
}

function rowsOfDelimited(text: string): LaidOutRows {
  const delimiter = delimiterOf(text);
  if (delimiter === undefined) {
    const header = headerOf(text).slice(0, 80);
    const problem = `it is neither JSON nor a table of questions: its first line is ${JSON.stringify(header)}`;
    throw new FormatError(problem, `Begin a CSV or TSV file with the columns' names: ${expectedColumns}`);
  }
  return { format: delimiter === "\t" ? "TSV" : "CSV", rows: rowsOfCsv(text, delimiter) };
}
