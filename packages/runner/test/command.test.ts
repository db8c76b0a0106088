import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { BertqaError, countOf, formatBytes, formatDuration } from "@bertqa/core";
import { createReporter, describeFailure, runCommand } from "../src/index.ts";

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

const hostile = "\u001b[31mred\u009b2J\u202eturned\r";

test("what a server or a file says cannot steer a terminal: not in an error, not in a line of a stage", async () => {
  const message = 'fetch: got "\\x1b[31mred\\x9b2J\\u202eturned\\x0d", expected 200. Ask again\\x0anow.';
  const error = new BertqaError("fetch", `got "${hostile}", expected 200`, { remedy: "Ask again\nnow" });
  expect(error.message).toBe(message);
  const stream = new PassThrough() as unknown as NodeJS.WriteStream & PassThrough;
  createReporter("fetch", stream).line(hostile);
  expect(String(stream.read())).toBe("fetch     \\x1b[31mred\\x9b2J\\u202eturned\\x0d\n");
});

test("nor in the stack of a defect, which keeps its lines", async () => {
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  await runCommand(() => Promise.reject(new TypeError(hostile)));
  process.exitCode = undefined;
  const text = String(written.mock.calls[0]?.[0]);
  written.mockRestore();
  expect(text).toMatch(/^TypeError: \\x1b\[31mred\\x9b2J\\u202eturned\\x0d\n {4}at /);
});
