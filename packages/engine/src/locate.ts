import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, sep } from "node:path";
import { BertqaError } from "@bertqa/core";

type Environment = Readonly<Record<string, string | undefined>>;

/** What `engine:install` found and built, kept as `engine.json` beside the binding. */
export interface EngineRecord {
  /** Version of this file's own shape. */
  readonly format: number;
  readonly tensorflow: string;
  readonly tfjs: string;
  readonly variant: "cpu" | "gpu";
  /** `process.platform` and `process.arch` of the machine that built it. */
  readonly platform: string;
  readonly arch: string;
  /** What the small product ran on; "cpu" for a GPU library that found no usable GPU. */
  readonly device: "cpu" | "gpu";
  /** The compiler's first version line. */
  readonly compiler: string;
  /** The interpreter whose pip fetched the library. */
  readonly python: string;
}

export const engineRecordFormat = 1;
export const engineRecordFile = "engine.json";
export const bindingFile = "tfjs_binding.node";
export const installCommand = "npx nx run engine:install";

/** The per-user cache: `BERTQA_CACHE`, or `bertqa` under `XDG_CACHE_HOME`, or `~/.cache/bertqa`. Empty counts as unset. */
export function cacheFolder(environment: Environment = process.env, home: string = homedir()): string {
  if (environment["BERTQA_CACHE"]) return environment["BERTQA_CACHE"];
  return join(environment["XDG_CACHE_HOME"] || join(home, ".cache"), "bertqa");
}

/** The folder of the installed `@tensorflow/tfjs-node-gpu` package. */
export function tfjsFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-node-gpu/package.json"));
}

/** Where tfjs-node looks for its native addon: the highest Node-API version it names, which every supported Node has. */
export function bindingLinkPath(): string {
  return join(tfjsFolder(), "lib", "napi-v8", bindingFile);
}

/** An engine that is installed in the cache and linked into tfjs-node. */
export interface InstalledEngine {
  readonly record: EngineRecord;
  /** The folder of the binding and its `engine.json`, inside the cache. */
  readonly folder: string;
}

/** The engine that tfjs-node would load, or why there is none, as one sentence. */
export function findInstalledEngine(environment: Environment = process.env): InstalledEngine | { missing: string } {
  const cache = cacheFolder(environment);
  const link = bindingLinkPath();
  if (!existsSync(link)) return { missing: `tfjs-node has no binding at ${link}` };
  const folder = dirname(realpathSync(link));
  if (!existsSync(cache) || !folder.startsWith(realpathSync(cache) + sep)) {
    return { missing: `the TensorFlow library is not in the cache folder ${cache}` };
  }
  const record = readEngineRecord(join(folder, engineRecordFile));
  return record ? { record, folder } : { missing: `${join(folder, engineRecordFile)} is missing or of another version` };
}

/** @throws BertqaError naming `engine:install` when there is no engine to load */
export function requireInstalledEngine(environment: Environment = process.env): InstalledEngine {
  const found = findInstalledEngine(environment);
  if ("missing" in found) {
    throw new BertqaError("engine", `TensorFlow is not installed: ${found.missing}`, {
      remedy: `Run \`${installCommand}\``,
    });
  }
  return found;
}

export function readEngineRecord(path: string): EngineRecord | undefined {
  if (!existsSync(path)) return undefined;
  const record = JSON.parse(readFileSync(path, "utf8")) as EngineRecord;
  return record.format === engineRecordFormat ? record : undefined;
}
