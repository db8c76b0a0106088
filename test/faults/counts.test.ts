import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { failEverywhere } from "./support/failures.ts";
import { flipEach } from "./support/flips.ts";
import { cutWriter, killEverywhere, type Writer } from "./support/replay.ts";
import { sumOf } from "./support/sum.ts";
import { Tally } from "./support/tally.ts";

/** A count of 0 says something only where it rises for writers and readers that are wrong. */
const parts = ["one", "two"];

/** An artifact of two files that belong together, in a folder of the test's own. @param write puts the new ones in the place of the old */
async function writerOf(write: (place: string) => Promise<void>): Promise<Writer> {
  const folder = await temporaryFolder();
  const place = (root: string) => join(root, "place");
  const read = (root: string) => parts.map((part) => readFileSync(join(place(root), part), "utf8")).join();
  const attempt = (root: string) => {
    try {
      return { sha256: read(root) };
    } catch (error) {
      return { refused: (error as Error).message };
    }
  };
  return {
    ...{ name: "place", folder, hashes: { before: "old,old", now: "new,new" } },
    reset: async () => {
      for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true });
      mkdirSync(place(folder));
      for (const part of parts) writeFileSync(join(place(folder), part), "old");
    },
    run: async () => {
      await write(place(folder));
      return read(folder);
    },
    forgetOwner: () => {},
    open: async (root) => attempt(root),
    leftovers: () => [],
  };
}

async function writeInPlace(place: string): Promise<void> {
  for (const part of parts) writeFileSync(join(place, part), "new");
}

async function writeAside(place: string, isFlushed: boolean): Promise<void> {
  const [draft, old] = [`${place}.draft`, `${place}.old`];
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  for (const part of parts) writeFileSync(join(draft, part), "new", { flush: isFlushed });
  rmSync(old, { recursive: true, force: true });
  renameSync(place, old);
  renameSync(draft, place);
  if (isFlushed) await flush(join(place, ".."));
  rmSync(old, { recursive: true });
}

async function flush(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync();
  await handle.close();
}

/** Everything is tried, in the short form too: these writers ask for a dozen changes. */
async function tallyOf(writer: Writer, what: (writer: Writer, tally: Tally, isAll: boolean) => Promise<void>) {
  const tally = new Tally();
  await what(writer, tally, true);
  return tally;
}

test("a writer in place: after kills and errors there is half of the new artifact, and the count says so", async () => {
  const kills = await tallyOf(await writerOf(writeInPlace), killEverywhere);
  expect(kills.number("kills")).toBe(4);
  // Killed in either file's creation or write: only before the first one is the old artifact whole.
  expect(kills.number("accepted")).toBe(3);
  const errors = await tallyOf(await writerOf(writeInPlace), failEverywhere);
  expect(errors.number("accepted")).toBeGreaterThan(0);
});

test("a writer that moves the old artifact away and cannot find it again: lost", async () => {
  const tally = await tallyOf(await writerOf((place) => writeAside(place, true)), killEverywhere);
  expect(tally.number("lost")).toBeGreaterThan(0);
});

test("a writer that flushes nothing: a power cut after its end leaves no whole artifact, or the old one", async () => {
  const tally = await tallyOf(await writerOf((place) => writeAside(place, false)), cutWriter);
  expect(tally.number("prefixes replayed")).toBeGreaterThan(50);
  expect(tally.number("lost")).toBeGreaterThan(0);
  expect(tally.number("accepted")).toBeGreaterThan(0);
});

test("a reader that checks nothing takes every flipped bit, and one that checks takes none", async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, "file"), "content");
  const [careless, careful] = [new Tally(), new Tally()];
  await flipEach(folder, "file", careless, async () => true);
  await flipEach(folder, "file", careful, async () => readFileSync(join(folder, "file"), "utf8") === "content");
  // The first byte, the one in the middle, the last, and a drawn one, which may be one of them.
  expect(careless.number("flips")).toBeGreaterThanOrEqual(3);
  expect(careless.number("accepted")).toBe(careless.number("flips"));
  expect([careful.number("flips"), careful.number("accepted")]).toEqual([careless.number("flips"), 0]);
});

test("the sum that npm run test:faults prints holds what the suites found, and is clean only where all counted and none found", () => {
  const clean = new Tally();
  for (const what of ["calls failed", "prefixes replayed", "kills", "flips", "inputs"] as const) clean.count(what, 7);
  expect(sumOf(clean.lines())).toEqual({
    line: "calls failed 7, prefixes replayed 7, kills 7, flips 7, inputs 7; lost: 0, accepted: 0, other faults: 0",
    isClean: true,
  });
  const broken = new Tally();
  broken.count("kills", 3);
  broken.find("lost", "a kill");
  broken.find("accepted", "a flip");
  broken.find("accepted", "another");
  expect(sumOf(clean.lines() + broken.lines())).toEqual({
    line: "calls failed 7, prefixes replayed 7, kills 10, flips 7, inputs 7; lost: 1, accepted: 2, other faults: 0",
    isClean: false,
  });
  expect(sumOf(broken.lines()).isClean).toBe(false);
  expect(sumOf("").isClean).toBe(false);
  expect(() => broken.verify()).toThrow(/a kill/);
});
