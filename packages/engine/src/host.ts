// Imports nothing but Node: see `locate.ts`.
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Environment } from "@bertqa/runner/cache-folder";

export type Device = "cpu" | "gpu";

/** What decides which TensorFlow a machine gets. */
export interface Host {
  /** `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  /** The C library's version, e.g. "2.36"; null on musl, and outside Linux. */
  readonly glibc: string | null;
  readonly hasNvidiaDriver: boolean;
  /** `BERTQA_DEVICE`: "cpu" or "gpu" overrides what was found; null where unset. */
  readonly wantedDevice: string | null;
}

/** Looks at this machine; starts no other program. */
export function describeHost(environment: Environment = process.env): Host {
  const isLinux = process.platform === "linux";
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: isLinux ? glibcVersion() : null,
    hasNvidiaDriver: isLinux && findNvidiaDriver(environment),
    wantedDevice: environment["BERTQA_DEVICE"] || null,
  };
}

function glibcVersion(): string | null {
  const settings = process.report as { excludeNetwork?: boolean };
  settings.excludeNetwork = true; // else the report looks up the names of open connections
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime ?? null;
}

function findNvidiaDriver(environment: Environment): boolean {
  // The kernel module on Linux, its library under WSL, or its tool on the PATH (containers).
  const files = ["/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1"];
  const onPath = (environment["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "nvidia-smi"));
  return [...files, ...onPath].some((file) => existsSync(file));
}

/** The processor's features as Linux names them, e.g. "avx2"; empty outside Linux. */
export function processorFlags(): string[] {
  return process.platform === "linux" ? processorFlagsIn(readFileSync("/proc/cpuinfo", "utf8")) : [];
}

/** @param cpuinfo the text of /proc/cpuinfo: a line "flags" on x86-64, "Features" on arm64 */
export function processorFlagsIn(cpuinfo: string): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? "";
  return line.split(/\s+/).filter((flag) => flag !== "");
}
