import { silentReporter } from "@bertqa/core";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { openWork, type WorkPlace } from "../src/work.ts";

let place: WorkPlace;
beforeEach(async () => {
  const folder = join(await temporaryFolder(), "train.progress");
  place = { stage: "train", folder, reporter: silentReporter, command: "npx bertqa stage train p" };
});

function open(rate: number, resume?: string) {
  return openWork({ ...place, resume }, { decides: { rate }, code: [] });
}

const checkpoint = () => readFile(join(place.folder, "checkpoint"), "utf8");

/** Work of a run with rate 1, aside after one with rate 2. @returns where it is */
async function workAside(): Promise<string> {
  await open(1);
  await writeFile(join(place.folder, "checkpoint"), "of rate 1");
  await open(2);
  const [aside] = (await readdir(dirname(place.folder))).filter((name) => name.includes(".aside-"));
  return join(dirname(place.folder), aside as string);
}

describe("another run's work is resumed from on purpose", () => {
  test("and the same command goes on with it after it was interrupted", async () => {
    const aside = await workAside();
    for (const time of ["first", "again"]) {
      expect(await open(2, aside), time).toEqual({ folder: place.folder, resumedFrom: "rate 1 → 2" });
      expect(await checkpoint(), time).toBe("of rate 1");
    }
    expect(existsSync(aside)).toBe(false);
  });

  test("and goes on with it after a kill between any two steps", async () => {
    const aside = await workAside();
    await open(2, aside);
    await rename(place.folder, aside); // its record is this run's, and it is not in the place yet
    expect(await open(2, aside)).toEqual({ folder: place.folder, resumedFrom: "rate 1 → 2" });
    expect(await checkpoint()).toBe("of rate 1");
  });

  test("but a folder that is gone is no reason to take up anything else", async () => {
    const aside = await workAside();
    await open(2, aside);
    await expect(open(3, aside)).rejects.toThrow(`train: ${aside} holds no work in progress of this bertqa`);
  });

  test("where it lies in the place already", async () => {
    await open(1);
    await writeFile(join(place.folder, "checkpoint"), "of rate 1");
    expect(await open(1, place.folder)).toEqual({ folder: place.folder });
    expect(await open(2, place.folder)).toEqual({ folder: place.folder, resumedFrom: "rate 1 → 2" });
    expect(await checkpoint()).toBe("of rate 1");
    expect(await readdir(dirname(place.folder))).toEqual(["train.progress"]);
  });

  test("with the options that it was made with, it is this run's own", async () => {
    const aside = await workAside();
    expect(await open(1, aside)).toEqual({ folder: place.folder });
    expect(await checkpoint()).toBe("of rate 1");
  });
});
