import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "../src/install-lock.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "bertqa-lock-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("two pieces of work under one lock never overlap, and the lock goes when they are done", async () => {
  const path = join(folder, "lock");
  const events: string[] = [];
  const waits: number[] = [];
  const work = (name: string) =>
    withLock(
      path,
      (holder) => waits.push(holder),
      async () => {
        events.push(`${name} begins`);
        await new Promise(setImmediate);
        events.push(`${name} ends`);
      },
    );
  await Promise.all([work("a"), work("b")]);
  expect(events).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  expect(waits).toEqual([process.pid]);
  expect(existsSync(path)).toBe(false);
});

test("a lock whose process has died is taken over", async () => {
  const path = join(folder, "lock");
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  writeFileSync(path, String(pid));
  expect(
    await withLock(
      path,
      () => {},
      async () => "done",
    ),
  ).toBe("done");
});

test("work that fails leaves no lock", async () => {
  const path = join(folder, "lock");
  await expect(
    withLock(
      path,
      () => {},
      () => Promise.reject(new Error("no")),
    ),
  ).rejects.toThrow("no");
  expect(existsSync(path)).toBe(false);
});
