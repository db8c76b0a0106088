import { readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { z } from "zod";

/** What user space sees of the kernel's ticks on Linux, whatever the kernel's own rate. */
const tickMs = 10;

/**
 * Names a process for others that share a folder: hosts on one network file system, containers with one volume. A process id
 * alone will not do: in containers it is often 1, and after a while it is given to another program.
 */
export const processMarkSchema = z.strictObject({
  host: z.string(),
  /** Of this start of the machine and, in a container, of its process namespace; "" where the system has no `/proc`. */
  machine: z.string(),
  pid: z.int(),
  /** When the process started, in the kernel's ticks; "" without `/proc`. */
  started: z.string(),
});
export type ProcessMark = z.output<typeof processMarkSchema>;

export function ownMark(): ProcessMark {
  const machine = [textOf("/proc/sys/kernel/random/boot_id"), linkOf("/proc/self/ns/pid")].join(" ").trim();
  return { host: hostname(), machine, pid: process.pid, started: startOf(process.pid) };
}

/** Whether two marks are of one machine and process namespace, where process ids can be compared. */
export function isSameMachine(a: ProcessMark, b: ProcessMark): boolean {
  return a.host === b.host && a.machine === b.machine;
}

/** Whether the process of a mark of this machine still runs. */
export function isRunning(mark: ProcessMark): boolean {
  return isProcessAlive(mark.pid) && startOf(mark.pid) === mark.started;
}

/** Whether a process of this machine still runs; another user's counts too. */
function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process of this machine started, in ms since 1970; undefined where it is gone, or the system has no `/proc`. */
export function startedMsOf(pid: number): number | undefined {
  const started = startOf(pid);
  return started === "" ? undefined : Date.now() - (uptime() * 1000 - Number(started) * tickMs);
}

/** Field 22 of `/proc/<pid>/stat`; the name in field 2 may hold spaces and brackets. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function startOf(pid: number): string {
  const text = textOf(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
