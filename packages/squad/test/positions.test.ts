import { expect, test } from "vitest";
import { countCodePoints, utf16OfCodePoint } from "../src/index.ts";

test("code points and UTF-16 units part after an astral character", () => {
  // "a𝄞b": code points a=0 𝄞=1 b=2; UTF-16 a=0 𝄞=1,2 b=3, end 4.
  expect(countCodePoints("a𝄞b")).toBe(3);
  expect(utf16OfCodePoint("a𝄞b")).toEqual(Int32Array.of(0, 1, 3, 4));
});

test("a text without astral characters needs no table", () => {
  expect(utf16OfCodePoint("é, ñ")).toBeUndefined();
});
