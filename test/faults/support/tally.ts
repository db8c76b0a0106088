import { appendFileSync } from "node:fs";

/** What the suites do, under the names in which the sum is printed. */
export type Counted = "calls failed" | "prefixes replayed" | "kills" | "flips" | "inputs";

/**
 * What they must never find. `lost`: neither the old artifact nor the new one is there whole, or the next run ends with other bytes.
 * `accepted`: something damaged was taken for whole. `other`: an error that names no remedy, a crash, a hang, litter.
 */
export type Verdict = "lost" | "accepted" | "other";

/** What one test did and found. It goes on after a find, so that the counts are of all there is. */
export class Tally {
  readonly #numbers = new Map<Counted, number>();
  readonly finds: { readonly verdict: Verdict; readonly what: string; readonly cause?: unknown }[] = [];

  count(what: Counted, number = 1): void {
    this.#numbers.set(what, (this.#numbers.get(what) ?? 0) + number);
  }

  find(verdict: Verdict, what: string, cause?: unknown): void {
    this.finds.push({ verdict, what, ...(cause === undefined ? {} : { cause }) });
  }

  number(what: Counted | Verdict): number {
    return this.#numbers.get(what as Counted) ?? this.finds.filter(({ verdict }) => verdict === what).length;
  }

  /** One line of JSON for each count: the suites run in processes of their own, and are summed by run.ts. */
  lines(): string {
    const found = (["lost", "accepted", "other"] as const).map((verdict) => [verdict, this.number(verdict)] as const);
    return [...this.#numbers, ...found].map(([what, number]) => `${JSON.stringify({ what, number })}\n`).join("");
  }

  /** Says what was counted, adds it to the sum of `npm run test:faults`, and fails where anything was found. */
  close(what: string): void {
    const counted = [...this.#numbers].map(([name, number]) => `${number} ${name}`).join(", ");
    const found = `lost: ${this.number("lost")}, accepted: ${this.number("accepted")}`;
    process.stdout.write(`faults: ${what}: ${counted}; ${found}\n`);
    const file = process.env["BERTQA_FAULTS_COUNTS"];
    if (file !== undefined) appendFileSync(file, this.lines());
    this.verify();
  }

  /** @throws Error naming the first finds, with the cause of the first */
  verify(): void {
    if (this.finds.length === 0) return;
    const shown = this.finds.slice(0, 20).map(({ verdict, what }) => `${verdict}: ${what}`);
    const cause = this.finds.find((find) => find.cause !== undefined)?.cause;
    throw new Error([`${this.finds.length} finds`, ...shown].join("\n"), { cause });
  }
}
