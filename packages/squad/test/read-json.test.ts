import { expect, test } from "vitest";
import { parseDataJson } from "../src/index.ts";

test("a number that a double cannot hold becomes the text of its digits, any other stays a number", () => {
  // 2^53 is 9007199254740992; its successor has no double of its own.
  const text = '{"a": 9007199254740993, "b": 9007199254740992, "c": 1.0, "d": [1e3, 1.5, -0, 403]}';
  expect(parseDataJson(text)).toEqual({
    a: "9007199254740993",
    b: 9007199254740992,
    c: "1.0",
    d: ["1e3", 1.5, "-0", 403],
  });
});

test("digits inside texts stay as they are, behind escaped quotes and backslashes too", () => {
  expect(parseDataJson('{"a\\\\": "x \\" 1.0", "b": "12345678901234567890"}')).toEqual({
    "a\\": 'x " 1.0',
    b: "12345678901234567890",
  });
});

test("NaN, which pandas writes for an empty cell, is null; a byte order mark is let through", () => {
  expect(parseDataJson('\ufeff{"title": NaN, "note": "NaN"}')).toEqual({ title: null, note: "NaN" });
});

test("a broken text is refused with line and column, deep nesting by name", () => {
  expect(() => parseDataJson('{"a": 1,\n "b": 2 "c"}')).toThrow("(line 2, column 9)");
  expect(() => parseDataJson("[".repeat(200_000))).toThrow("brackets nest deeper than 100");
});

test("the place told is the file's: no number or NaN that is read as something longer moves it", () => {
  const data = '{"a": [1.0, 9007199254740993, NaN, "NaN"], "b": 2 "c"}';
  const place = `at position ${data.indexOf('"c"')} (column ${data.indexOf('"c"') + 1})`;
  expect(() => parseDataJson(data)).toThrow(place);
  expect(() => parseDataJson('{"a": [1.0, x]}')).toThrow('"{"a": [1.0, x]}" is not valid JSON');
});

test("a key __proto__ is a key like any other", () => {
  expect(Object.keys(parseDataJson('{"__proto__": 1}') as object)).toEqual(["__proto__"]);
});
