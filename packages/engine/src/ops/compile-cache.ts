import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import { join } from "node:path";
import { cacheFolder, type Environment } from "../locate.ts";

/**
 * Lets XLA keep what it compiled, so that a shape seen before costs a tenth: `TF_XLA_FLAGS`, which TensorFlow reads as it
 * starts. One folder for each TensorFlow and processor, because the entries are machine code.
 * A cache folder that cannot be written only means that every process compiles for itself.
 */
export function compileCacheEnvironment(environment: Environment, tensorflow: string): Record<string, string> {
  const given = environment["TF_XLA_FLAGS"];
  if (given?.includes("tf_xla_persistent_cache_directory")) return {};
  const folder = join(cacheFolder(environment), "compiled", `${tensorflow}-${processorDigest()}`);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch {
    return {};
  }
  const flag = `--tf_xla_persistent_cache_directory=${folder}`;
  return { TF_XLA_FLAGS: given ? `${given} ${flag}` : flag };
}

function processorDigest(): string {
  const facts = `${arch()} ${cpus()[0]?.model ?? ""} ${instructionSets()}`;
  return createHash("sha256").update(facts).digest("hex").slice(0, 12);
}

function instructionSets(): string {
  try {
    const line = readFileSync("/proc/cpuinfo", "utf8")
      .split("\n")
      .find((text) => /^(flags|Features)\s*:/.test(text));
    return line ?? "";
  } catch {
    return ""; // not Linux: the model's name has to do
  }
}
