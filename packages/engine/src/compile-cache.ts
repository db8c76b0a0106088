import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync } from "node:fs";
import { arch, cpus } from "node:os";
import { join } from "node:path";
import { cacheFolder, cacheFolderProblem, type Environment } from "@bertqa/runner/cache-folder";
import { processorFlags } from "./host.ts";

/**
 * Lets XLA keep what it compiled, so that a shape seen before costs a tenth: `TF_XLA_FLAGS`, which TensorFlow reads as it
 * starts. One folder for each TensorFlow and processor, because the entries are machine code. Where the folder cannot be
 * used (read-only, not the user's own, a space in its path, at which TensorFlow would end the flag) every process compiles
 * for itself.
 */
export function compileCacheEnvironment(environment: Environment, tensorflow: string): Record<string, string> {
  const given = environment["TF_XLA_FLAGS"];
  if (given?.includes("tf_xla_persistent_cache_directory")) return {};
  const cache = cacheFolder(environment);
  const folder = join(cache, "compiled", `${tensorflow}-${processorDigest()}`);
  if (/\s/.test(folder) || cacheFolderProblem(cache) || !isWritable(folder)) return {};
  const flag = `--tf_xla_persistent_cache_directory=${folder}`;
  return { TF_XLA_FLAGS: given ? `${given} ${flag}` : flag };
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function processorDigest(): string {
  const facts = `${arch()} ${cpus()[0]?.model ?? ""} ${processorFlags().join(" ")}`;
  return createHash("sha256").update(facts).digest("hex").slice(0, 12);
}
