import { expect, test } from "vitest";
import { BertqaError, countOf, formatBytes, formatDuration } from "@bertqa/core";
import { describeFailure } from "../src/index.ts";

test("durations, sizes and counts read as people write them", () => {
  expect([400, 12_000, 200_000, 7_500_000].map(formatDuration)).toEqual(["0.4 s", "12 s", "3 min 20 s", "2 h 5 min"]);
  expect([310, 1_250_000].map(formatBytes)).toEqual(["310 B", "1.3 MB"]);
  expect([countOf(1, "window"), countOf(10_299, "question")]).toEqual(["1 window", "10,299 questions"]);
});

test("an error that the user can fix is one line; with --debug the cause and both stacks are shown", () => {
  const error = new BertqaError("fetch", "got 3 bytes, expected 5", {
    remedy: "Run again",
    where: "a.json",
    cause: new Error("socket hang up"),
  });
  expect(describeFailure(error, false)).toBe("fetch: got 3 bytes, expected 5. Run again. (a.json)");
  expect(describeFailure(error, true)).toMatch(
    /BertqaError: fetch: got 3[^]*\n {4}at [^]*caused by: Error: socket hang up/,
  );
});

test("a defect of ours shows its stack in any case", () => {
  expect(describeFailure(new TypeError("x is undefined"), false)).toMatch(/TypeError: x is undefined\n {4}at /);
});
