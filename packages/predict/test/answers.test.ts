import { expect, test } from "vitest";
import { jsonObjectLines } from "../src/answers.ts";

const textOf = (entries: [string, unknown][]) => [...jsonObjectLines(entries, (entry) => entry)].join("");

test("keys that look like numbers stay in their place, and the text is JSON", () => {
  // An object literal with these keys lists "7" and "123" first.
  const text = textOf([
    ["q-9", "x"],
    ["123", ""],
    ["7", '\u2028 " 🎼'],
    ["__proto__", null],
  ]);
  expect(text).toBe('{\n"q-9": "x",\n"123": "",\n"7": "\u2028 \\" 🎼",\n"__proto__": null\n}\n');
  expect(JSON.parse(text)).toMatchObject({ "123": "", "q-9": "x" });
});

test("no entries give an empty object", () => {
  expect(JSON.parse(textOf([]))).toEqual({});
});
