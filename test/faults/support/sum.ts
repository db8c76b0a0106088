/** The names of all counts, in the order in which they are printed. */
const counted = ["calls failed", "prefixes replayed", "kills", "flips", "inputs"];
const verdicts = ["lost", "accepted", "other"];

/**
 * Adds up what the suites counted.
 *
 * @param lines one JSON object a line: `{ what, number }`
 * @returns a line for people; clean is a sum where nothing was found and everything was counted
 */
export function sumOf(lines: string): { readonly line: string; readonly isClean: boolean } {
  const sums = new Map<string, number>([...counted, ...verdicts].map((what) => [what, 0]));
  const sum = (what: string) => sums.get(what) ?? 0;
  for (const line of lines.split("\n").filter(Boolean)) {
    const { what, number } = JSON.parse(line) as { what: string; number: number };
    sums.set(what, sum(what) + number);
  }
  const shown = counted.map((what) => `${what} ${sum(what)}`).join(", ");
  const line = `${shown}; lost: ${sum("lost")}, accepted: ${sum("accepted")}, other faults: ${sum("other")}`;
  const isClean = verdicts.every((what) => sum(what) === 0) && counted.every((what) => sum(what) > 0);
  return { line, isClean };
}
