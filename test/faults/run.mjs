import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Runs all suites in full, and prints what they counted. A suite stops at the first loss or damage that is accepted.
const folder = mkdtempSync(join(tmpdir(), "bertqa-faults-counts-"));
const counts = join(folder, "counts.jsonl");
writeFileSync(counts, "");
const { status } = spawnSync("npx", ["vitest", "run", "test/faults", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, BERTQA_FAULTS: "full", BERTQA_FAULTS_COUNTS: counts },
});
const sums = new Map(["calls failed", "prefixes replayed", "kills", "flips", "inputs"].map((what) => [what, 0]));
for (const line of readFileSync(counts, "utf8").split("\n").filter(Boolean)) {
  const { what, number } = JSON.parse(line);
  sums.set(what, sums.get(what) + number);
}
rmSync(folder, { recursive: true });
const counted = [...sums].map(([what, number]) => `${what} ${number}`).join(", ");
process.stdout.write(`faults: ${counted}; ${status === 0 ? "lost: 0, accepted: 0" : "a suite failed: see above"}\n`);
process.exitCode = status ?? 1;
