// Imports nothing but Node: the check that an engine is installed runs before every stage, and must start fast.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, sep } from "node:path";
import type { Host } from "./install-host.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What `engine:install` found and built, kept as `engine.json` beside the binding. */
export interface EngineRecord {
  /** Version of this file's shape and of how the binding is built: another number means build it again. */
  readonly format: number;
  /** The machine's facts that led to this library; when they change, `engine:install` chooses again. */
  readonly host: Host;
  readonly tensorflow: string;
  readonly tfjs: string;
  readonly variant: "cpu" | "gpu";
  /** What the small product ran on; "cpu" for a GPU library that found no usable GPU. */
  readonly device: "cpu" | "gpu";
  /** The compiler's first version line. */
  readonly compiler: string;
}

export const engineRecordFormat = 1;
export const engineRecordFile = "engine.json";
export const bindingFile = "tfjs_binding.node";
export const stderrTapFile = "stderr_tap.node";
export const installCommand = "npx nx run engine:install";

/** The per-user cache: `BERTQA_CACHE`, or `bertqa` under `XDG_CACHE_HOME`, or `~/.cache/bertqa`. Empty means unset. */
export function cacheFolder(environment: Environment = process.env, home: string = homedir()): string {
  if (environment["BERTQA_CACHE"]) return environment["BERTQA_CACHE"];
  return join(environment["XDG_CACHE_HOME"] || join(home, ".cache"), "bertqa");
}

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
}

/** The engine that tfjs-node would load, or why there is none. */
export function findInstalledEngine(environment: Environment = process.env): InstalledEngine | { missing: string } {
  const cache = cacheFolder(environment);
  const link = bindingLinkPath();
  if (!existsSync(link)) return { missing: `there is no ${link}` };
  const folder = dirname(realpathSync(link));
  if (!existsSync(cache) || !folder.startsWith(realpathSync(cache) + sep)) {
    return { missing: `it is not in the cache folder ${cache}` };
  }
  const record = readEngineRecord(folder);
  return record
    ? { record, folder }
    : { missing: `${join(folder, engineRecordFile)} is missing, or of another version` };
}

/** The record in a binding's folder, where it is there and of this version. */
export function readEngineRecord(folder: string): EngineRecord | undefined {
  const path = join(folder, engineRecordFile);
  if (!existsSync(path)) return undefined;
  const record = JSON.parse(readFileSync(path, "utf8")) as EngineRecord;
  return record.format === engineRecordFormat ? record : undefined;
}
