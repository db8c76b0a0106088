import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { silentReporter, type HostTensor } from "@bertqa/core";
import { openWork } from "../../packages/runner/src/work.ts";
import { openCheckpoints } from "../../packages/train/src/checkpoints.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { watchFiles, type FileChange } from "./support/file-calls.ts";
import { ForgetfulDisk } from "./support/power-cut.ts";
import { cutEverywhere, cutWriter } from "./support/replay.ts";
import { Tally } from "./support/tally.ts";
import { stages, TinyWorkspace } from "./support/workspace.ts";

/**
 * What each writer asks of the file system is written down, and the power is cut after each call: whatever a file system may
 * leave of what was not flushed is laid out, and opened as the next stage would.
 */
const workspace = TinyWorkspace.forStages();

describe.each([...stages])("a power cut while %s writes", (name) => {
  test(
    "leaves the old artifact or the new one, whole; once the stage has ended, the new one",
    { timeout: 600_000 },
    async () => {
      const tally = new Tally();
      await cutWriter(workspace.writer(name), tally);
      tally.close(`power cuts in ${name}`);
    },
  );
});

test("a power cut while a checkpoint is saved leaves the one before it or the new one, and never part of one", async () => {
  const root = await temporaryFolder();
  const artifacts = join(root, "artifacts");
  mkdirSync(artifacts);
  const stateOf = (step: number): Map<string, HostTensor> =>
    new Map([["weights", { shape: [3], data: Float32Array.of(step, 0.5, -step) }]]);
  const disk = new ForgetfulDisk(root);
  /** How many changes there were when the save of each step returned. */
  const saved: { step: number; changes: number }[] = [];
  const { changes, error } = await watchFiles(root, undefined, async () => {
    const place = { stage: "train", folder: join(artifacts, "train.progress"), reporter: silentReporter, command: "" };
    const { folder } = await openWork(place, { decides: { seed: 1 }, code: [] });
    const checkpoints = openCheckpoints(folder);
    for (const step of [2, 4, 6, 8]) {
      await checkpoints.save({ losses: Array.from({ length: step }, () => 1), state: stateOf(step) });
      saved.push({ step, changes: -1 });
    }
  });
  expect(error).toBeUndefined();
  // A step is saved when its folder has its name and that is flushed.
  for (const each of saved) {
    const named = changes.findIndex(({ to }) => to?.endsWith(`step-${String(each.step).padStart(8, "0")}`));
    each.changes = named + changes.slice(named).findIndex(({ kind }) => kind === "sync") + 1;
  }
  const tally = new Tally();
  await cutEverywhere({ disk, changes, name: "checkpoints" }, tally, async (after, folder, what) => {
    const progress = join(folder, "artifacts", "train.progress");
    mkdirSync(progress, { recursive: true });
    const found = await openCheckpoints(progress).load();
    const step = found?.losses.length ?? 0;
    const safe = saved.filter((each) => each.changes <= after).at(-1)?.step ?? 0;
    if (step < safe) tally.find("lost", `${what}: step ${safe}`);
    if (found && !isDeepStrictEqual(found.state, stateOf(step))) tally.find("accepted", `${what}: step ${step}`);
  });
  tally.close("power cuts while checkpoints are saved");
});

test("the disk that forgets loses what was not flushed, and keeps what was: the test can fail", async () => {
  const root = await temporaryFolder();
  const disk = new ForgetfulDisk(root);
  const file = join(root, "file");
  const steps: FileChange[] = [
    { kind: "create", path: file },
    { kind: "write", path: file, content: Buffer.from("whole") },
    { kind: "sync", path: file },
    { kind: "sync", path: dirname(file) },
  ];
  const left: string[][] = [];
  const look = async (after: number, folder: string) => {
    const names = readdirSync(folder);
    (left[after] ??= []).push(
      names.length === 0 ? "nothing" : `${basename(file)} ${readFileSync(join(folder, names[0]!), "utf8")}`,
    );
  };
  await cutEverywhere({ disk, changes: steps, name: "itself" }, new Tally(), look, true);
  expect(new Set(left[0])).toEqual(new Set(["nothing"]));
  expect(left[2]).toEqual(expect.arrayContaining(["nothing", "file ", "file wh", "file whole"]));
  expect(new Set(left[4])).toEqual(new Set(["file whole"]));
});
