// Imports nothing but Node: the check that an engine is installed runs before every stage, and must start fast.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { cacheFolder, cacheFolderProblem, type Environment } from "@bertqa/runner/cache-folder";
import { describeHost, type Device, type Host } from "./host.ts";
import { kernelsFile } from "./kernels.ts";

/** What `engine:install` found and built, kept as `engine.json` beside the binding. */
export interface EngineRecord {
  /** Version of this file's format and of how the binding is built: another number means build it again. */
  readonly format: number;
  /** The machine's facts that led to this library; when they change, `engine:install` chooses again. */
  readonly host: Host;
  readonly tensorflow: string;
  readonly tfjs: string;
  readonly variant: Device;
  /** What the self-test ran on; "cpu" for a GPU library that found no usable GPU. */
  readonly device: Device;
  /** The compiler's first version line. */
  readonly compiler: string;
}

export const engineRecordFormat = 1;
export const engineRecordFile = "engine.json";
export const bindingFile = "tfjs_binding.node";
export const stderrTapFile = "stderr_tap.node";
export const installCommand = "npx nx run engine:install";

/** The folder of the installed `@tensorflow/tfjs-node-gpu` package. */
export function tfjsFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-node-gpu/package.json"));
}

/** Where tfjs-node looks for its native addon: under the highest Node-API version that it names. */
export function bindingLinkPath(): string {
  return join(tfjsFolder(), "lib", "napi-v8", bindingFile);
}

/** An engine that is in the cache and linked into tfjs-node. */
export interface InstalledEngine {
  readonly record: EngineRecord;
  /** The folder of the binding and its `engine.json`, inside the cache. */
  readonly folder: string;
  /** The addon with our own kernels; undefined where there are none for the machine or the device. */
  readonly kernels: string | undefined;
}

/** The engine that tfjs-node would load, or why there is none. */
export function findInstalledEngine(environment: Environment = process.env): InstalledEngine | { missing: string } {
  const cache = cacheFolder(environment);
  const problem = cacheFolderProblem(cache);
  if (problem) return { missing: `the cache folder ${cache} ${problem}` };
  const link = bindingLinkPath();
  if (!existsSync(link)) return { missing: `there is no ${link}` };
  const folder = dirname(realpathSync(link));
  if (!existsSync(cache) || !folder.startsWith(realpathSync(cache) + sep)) {
    return { missing: `it is not in the cache folder ${cache}` };
  }
  const record = readEngineRecord(folder);
  if (!record) return { missing: `${join(folder, engineRecordFile)} is missing, damaged or of another version` };
  const kernels = record.variant === "cpu" ? kernelsFile(dirname(folder)) : undefined;
  return kernels && !existsSync(kernels) ? { missing: `there is no ${kernels}` } : { record, folder, kernels };
}

/** Whether an engine is installed, and chosen for this machine as it is now. Starts no program, loads no library. */
export function isEngineReady(): boolean {
  const found = findInstalledEngine();
  return "record" in found && isDeepStrictEqual(found.record.host, describeHost());
}

/** The record in a binding's folder; undefined where it is missing, not whole (a power cut), or of another format. */
export function readEngineRecord(folder: string): EngineRecord | undefined {
  const path = join(folder, engineRecordFile);
  if (!existsSync(path)) return undefined;
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as EngineRecord | null;
    return record?.format === engineRecordFormat ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
