import { execFile } from "node:child_process";
import { appendFile, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { HistoryEntry } from "./results.ts";
import { historyLine } from "./summary/history.ts";

/** The text of `history.jsonl`; "" before the first run. */
export async function readHistoryText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** Adds one line to `history.jsonl`; nothing that is there is touched. */
export async function appendHistory(path: string, entry: HistoryEntry): Promise<void> {
  await appendFile(path, historyLine(entry, await readHistoryText(path)));
}

/** A repository's own configuration may name programs to run: none is. */
const noHooks = ["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/** The short hash of the commit checked out in a folder, with `-dirty` where tracked files differ; null outside git. */
export async function currentCommit(folder: string): Promise<string | null> {
  try {
    const git = (...args: string[]) => promisify(execFile)("git", [...noHooks, ...args], { cwd: folder });
    const { stdout: hash } = await git("rev-parse", "--short", "HEAD");
    const { stdout: changes } = await git("status", "--porcelain", "--untracked-files=no");
    return `${hash.trim()}${changes === "" ? "" : "-dirty"}`;
  } catch {
    return null;
  }
}
