import { SeededRandom } from "@bertqa/core";

/** `npm run test:faults` runs everything, for minutes; `npm test` a seeded part of it, for seconds. */
export const isFull = process.env["BERTQA_FAULTS"] === "full";

const seed = Number(process.env["BERTQA_FAULTS_SEED"] ?? 1);

export function randomOf(...stream: readonly (string | number)[]): SeededRandom {
  return new SeededRandom(seed, ...stream);
}

/** True for one of `everyNth`, drawn by its name. */
export function isChosen(everyNth: number, ...stream: readonly (string | number)[]): boolean {
  return randomOf("chosen", ...stream).integerBelow(everyNth) === 0;
}

/** One of some, drawn by its name. */
export function drawn<T>(all: readonly T[], ...stream: readonly (string | number)[]): T {
  return all[randomOf("drawn", ...stream).integerBelow(all.length)] as T;
}
