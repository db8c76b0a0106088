import { expect, test } from "vitest";
import { seedOfStream, SeededRandom } from "../src/index.ts";

test("a stream of random numbers depends on the seed and its name alone", () => {
  const draw = (seed: number, ...stream: (string | number)[]) => {
    const random = new SeededRandom(seed, ...stream);
    return Array.from({ length: 5 }, () => random.integerBelow(1000));
  };
  expect(draw(1, "epoch", 3)).toEqual(draw(1, "epoch", 3));
  expect(draw(1, "epoch", 3)).not.toEqual(draw(1, "epoch", 4));
  expect(draw(1, "epoch", 3)).not.toEqual(draw(2, "epoch", 3));
  expect(seedOfStream(1, "a", 23)).not.toBe(seedOfStream(1, "a2", 3));
});

test("shuffling keeps every item and reaches every order of three", () => {
  // 3! = 6 orders; in 200 shuffles each comes up about 33 times, and misses all with probability 6 × (5/6)^200 < 1e-14.
  const random = new SeededRandom(7, "test");
  const orders = new Set(Array.from({ length: 200 }, () => random.shuffled("abc").join("")));
  expect(orders.size).toBe(6);
});
