import { expect, test } from "vitest";
import { countCodePoints, seedOfStream, SeededRandom, sliceCodePoints, utf16OfCodePoint } from "../src/index.ts";

test("code points and UTF-16 units part after an astral character", () => {
  // "a𝄞b": code points a=0 𝄞=1 b=2; UTF-16 a=0 𝄞=1,2 b=3, end 4.
  expect(countCodePoints("a𝄞b")).toBe(3);
  expect(utf16OfCodePoint("a𝄞b")).toEqual(Int32Array.of(0, 1, 3, 4));
  expect(sliceCodePoints("a𝄞b", 2, 3)).toBe("b");
});

test("a text without astral characters needs no table", () => {
  expect(utf16OfCodePoint("é, ñ")).toBeUndefined();
  expect(sliceCodePoints("héllo", 1, 3)).toBe("él");
});

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
