import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { createHash } from "node:crypto";

/**
 * Seeded random numbers. A stream is named (`"epoch", 3`), not carried along: every draw depends on the seed and the
 * stream's name alone, so a run that resumes at step 1,000 needs no generator state.
 */
export class SeededRandom {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number, ...stream: readonly (string | number)[]) {
    this.#generator = xoroshiro128plus(seedOfStream(seed, ...stream));
  }

  /** A uniform integer from 0 up to, not including, `end`. */
  integerBelow(end: number): number {
    return uniformInt(this.#generator, 0, end - 1);
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffled<T>(items: Iterable<T>): T[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.integerBelow(last + 1);
      [result[last], result[other]] = [result[other] as T, result[last] as T];
    }
    return result;
  }
}

/** An int32 seed for a named stream, for generators that are not ours (TensorFlow's). */
export function seedOfStream(seed: number, ...stream: readonly (string | number)[]): number {
  return createHash("sha256")
    .update(JSON.stringify([seed, ...stream]))
    .digest()
    .readInt32LE(0);
}
