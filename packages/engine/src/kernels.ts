// Imports nothing but Node: see `locate.ts`.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processorFlags } from "./host.ts";

/** The source of the kernels that `ops/fused.ts` declares. */
export const kernelsSource = fileURLToPath(new URL("../native/kernels.cc", import.meta.url));

/** What the kernels are compiled for, as Linux and the compilers name it. */
export const kernelInstructionSets = ["avx2", "fma"] as const;

/**
 * Where this machine's kernels lie: one addon beside `tensorflow/` for each state of their source, so that two checkouts
 * share a cache. Undefined where there are none for the machine: its models are computed in compiled clusters.
 *
 * @param library the folder that holds `tensorflow/`
 */
export function kernelsFile(library: string): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const flags = processorFlags();
  if (!kernelInstructionSets.every((flag) => flags.includes(flag))) return undefined;
  const digest = createHash("sha256").update(readFileSync(kernelsSource)).digest("hex").slice(0, 12);
  return join(library, `kernels-${digest}.node`);
}
