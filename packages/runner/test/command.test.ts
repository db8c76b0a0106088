import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { BertqaError, countOf, formatBytes, formatDuration } from "@bertqa/core";
import { createReporter, describeFailure, runCommand } from "../src/index.ts";

const run = promisify(execFile);

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

/** Forks a terminal of its own, runs the program there, and closes the terminal once the file says "ready". */
const closeTerminal = `
import os, pty, sys, time
said, *program = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(program[0], program)
os.set_blocking(terminal, False)
while not os.path.exists(said):
    time.sleep(0.02)
    try:
        os.read(terminal, 65536)
    except BlockingIOError:
        pass
os.close(terminal)
os.waitpid(child, 0)
`;

test.skipIf(process.platform === "win32")(
  "work goes on where its terminal was closed: what it writes there fails, and ends nothing",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "bertqa-terminal-"));
    try {
      const [said, done] = [join(folder, "ready"), join(folder, "done")];
      const source = `
        import { writeFileSync } from "node:fs";
        import { runCommand } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
        await runCommand(async () => {
          const alive = setInterval(() => {}, 1000);
          const lost = new Promise((resolve) => process.on("SIGHUP", resolve));
          writeFileSync(${JSON.stringify(said)}, "");
          await lost;
          clearInterval(alive);
          for (const stream of [process.stdout, process.stderr]) {
            await new Promise((resolve) => stream.write("saving\\n", resolve));
          }
          await new Promise(setImmediate);
          writeFileSync(${JSON.stringify(done)}, "");
        });`;
      const program = [
        process.execPath,
        "--import",
        import.meta.resolve("tsx"),
        "--input-type=module",
        "--eval",
        source,
      ];
      // Not the exit code: Node itself aborts, at its very end, where it cannot bring a terminal into order that is gone.
      await run("python3", ["-c", closeTerminal, said, ...program]);
      expect(existsSync(done)).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test.skipIf(!existsSync("/dev/full"))(
  "a full disk under standard output is one line and a failure; under standard error it ends nothing",
  async () => {
    const source = `
      import { runCommand } from ${JSON.stringify(new URL("../src/command.ts", import.meta.url).href)};
      await runCommand(async () => {
        process.stderr.write("working\\n");
        await new Promise(setImmediate);
        process.stdout.write("made\\n");
      });`;
    const program = [process.execPath, "--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", source];
    const into = (redirection: string) => run("sh", ["-c", `exec "$@" ${redirection}`, "sh", ...program]);
    await expect(into(">/dev/full")).rejects.toMatchObject({
      code: 1,
      stderr: "working\nbertqa: the disk that standard output goes to is full. Free some space and run again.\n",
    });
    await expect(into("2>/dev/full")).resolves.toMatchObject({ stdout: "made\n" });
  },
);
