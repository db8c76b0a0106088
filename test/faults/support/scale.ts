import { SeededRandom } from "@bertqa/core";

/** `npm run test:faults` runs everything, for minutes; `npm test` a seeded part of it, for seconds. */
export const isFull = process.env["BERTQA_FAULTS"] === "full";

const seed = Number(process.env["BERTQA_FAULTS_SEED"] ?? 1);

export function randomOf(...stream: readonly (string | number)[]): SeededRandom {
  return new SeededRandom(seed, ...stream);
}

/** All of them, or in the short form one of `everyNth` groups: a single one, drawn by the stream's name, or none. */
export function chosen<T>(all: readonly T[], stream: string, everyNth: number): readonly T[] {
  if (isFull) return all;
  const random = randomOf("chosen", stream);
  return random.integerBelow(everyNth) === 0 ? [all[random.integerBelow(all.length)] as T] : [];
}

/** A count for people. */
export function report(line: string): void {
  process.stdout.write(`faults: ${line}\n`);
}
