import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/bertqa-evaluate.mjs", import.meta.url));

/** Runs `bertqa-evaluate` as a process. */
export function runOfficial(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

/** Calls `use` with a temporary folder and a function that writes files into it, then removes it. */
export function withFolder<T>(use: (folder: string, write: (name: string, text: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "bertqa-official-"));
  try {
    return use(folder, (name, text) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
