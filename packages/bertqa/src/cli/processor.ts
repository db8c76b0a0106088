import { readFile } from "node:fs/promises";
import { cpus } from "node:os";

/** Extensions that decide how int8 products are computed, by their names in Linux's /proc/cpuinfo. */
const extensions = ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimddp", "i8mm"];

/** The processor and those of its instruction sets that int8 results depend on, where the system tells. */
export async function describeProcessor(): Promise<string> {
  const model = cpus()[0]?.model.trim() ?? process.arch;
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/));
  const found = extensions.filter((name) => flags.has(name));
  const sets =
    flags.size === 0 ? "instruction sets unknown" : found.join(", ") || "none of AVX2, VNNI, AMX, dot product";
  return `${model} (${sets})`;
}
