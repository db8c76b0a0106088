import { describe, test } from "vitest";
import { failEverywhere } from "./support/failures.ts";
import { killEverywhere } from "./support/replay.ts";
import { makeSavingWriter } from "./support/saving-stage.ts";
import { Tally } from "./support/tally.ts";
import { stages, TinyWorkspace } from "./support/workspace.ts";

/**
 * Every change of files of every stage is made to end the process, and to fail with each error, once and (a full disk) from then
 * on. After each the old artifact or the new one is there whole, and the next run ends with the bytes of an undisturbed one.
 */
const workspace = TinyWorkspace.forStages();
const slow = { timeout: 3_000_000 };

describe.each([...stages])("the stage %s", (name) => {
  test("has the old artifact or the new one, at whichever change of files it is killed", slow, async () => {
    const tally = new Tally();
    await killEverywhere(workspace.writer(name), tally);
    tally.close(`kills of ${name}`);
  });

  test("keeps the old artifact or has the new one, whichever change of files fails and however", slow, async () => {
    const tally = new Tally();
    await failEverywhere(workspace.writer(name), tally);
    tally.close(`failures of ${name}`);
  });
});

// The short form leaves training out; all kills of this one are in it.
test(
  "a stage that saves its work goes on from what was saved, whichever call fails, and wherever it is killed",
  slow,
  async () => {
    const tally = new Tally();
    await killEverywhere(await makeSavingWriter(), tally, true);
    await failEverywhere(await makeSavingWriter(), tally);
    tally.close("kills and failures of a stage that saves its work");
  },
);
