import { appendFileSync } from "node:fs";

/** What the suites count, under the names in which the sum is printed. */
type Counted = "calls failed" | "prefixes replayed" | "kills" | "flips" | "inputs";

/** Adds to the sum that `npm run test:faults` prints at its end: its suites run in processes of their own. */
export function count(what: Counted, number = 1): void {
  const file = process.env["BERTQA_FAULTS_COUNTS"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ what, number })}\n`);
}
