import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sumOf } from "./support/sum.ts";

// Runs all suites in full, and prints the sums of what they did and found.
const folder = mkdtempSync(join(tmpdir(), "bertqa-faults-counts-"));
const counts = join(folder, "counts.jsonl");
writeFileSync(counts, "");
const seed = process.env["BERTQA_FAULTS_SEED"] ?? "1";
const { status } = spawnSync("npx", ["vitest", "run", "test/faults", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, BERTQA_FAULTS: "full", BERTQA_FAULTS_SEED: seed, BERTQA_FAULTS_COUNTS: counts },
});
const { line, isClean } = sumOf(readFileSync(counts, "utf8"));
rmSync(folder, { recursive: true });
process.stdout.write(`faults (seed ${seed}): ${line}${status === 0 ? "" : "; a suite failed: see above"}\n`);
process.exitCode = status === 0 && !isClean ? 1 : (status ?? 1);
