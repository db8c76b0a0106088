import { execFile, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface RunningServer {
  readonly child: ChildProcess;
  readonly address: string;
  /** Its log, line by line. */
  readonly lines: () => Record<string, unknown>[];
  /** MiB that the process holds in memory. */
  readonly residentMiB: () => Promise<number>;
  /** Seconds of processor time so far, all threads together. */
  readonly cpuSeconds: () => Promise<number>;
}

/** Starts `bertqa serve` as a process of its own, and waits until its model is loaded. */
export async function startServer(model: string, flags: readonly string[] = []): Promise<RunningServer> {
  const bin = join(import.meta.dirname, "../packages/bertqa/bin/bertqa.mjs");
  const child = execFile(process.execPath, [bin, "serve", "--model", model, "--port", "0", ...flags], {
    maxBuffer: 1024 ** 3,
  });
  let log = "";
  child.stderr!.on("data", (text: string) => (log += text));
  const [line] = (await Promise.race([
    once(child.stdout!, "data"),
    once(child, "exit").then(() => Promise.reject(new Error(`the server did not start: ${log}`))),
  ])) as [string];
  const proc = (name: string) => readFile(`/proc/${child.pid}/${name}`, "utf8");
  return {
    child,
    address: line.trim(),
    lines: () =>
      log
        .split("\n")
        .filter((each) => each.startsWith("{"))
        .map((each) => JSON.parse(each) as Record<string, unknown>),
    residentMiB: async () => Number(/^VmRSS:\s+(\d+)/m.exec(await proc("status"))![1]) / 1024,
    cpuSeconds: async () => {
      const fields = (await proc("stat")).split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100; // utime and stime, in hundredths
    },
  };
}

export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
