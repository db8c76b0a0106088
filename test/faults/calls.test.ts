import { describe, expect, test } from "vitest";
import { BertqaError } from "@bertqa/core";
import { count } from "./support/counts.ts";
import { watchFiles, type Fault } from "./support/file-calls.ts";
import { chosen, report } from "./support/scale.ts";
import { openWhole, stages, TinyWorkspace } from "./support/workspace.ts";

/**
 * Every change of files of every stage is made to end the process, and to fail with each error, once and (a full disk) from then
 * on. After each the old artifact or the new one is there whole, and the next run ends with the bytes of an undisturbed one.
 */
const kinds = ["kill", "ENOSPC", "EIO", "EACCES", "EMFILE"] as const;
const workspace = TinyWorkspace.forStages();

async function runWith(name: string, fault: Fault | undefined) {
  await workspace.reset(name);
  const watched = await watchFiles(workspace.artifacts, fault, () => workspace.run(name));
  // Each run of a stage is a process of its own; here they are one.
  workspace.forgetOwner(name);
  return watched;
}

async function expectWhole(name: string, what: string): Promise<void> {
  const { now, before } = workspace.hashes(name);
  const found = await openWhole(workspace.place(name), workspace.kindOf(name));
  expect("sha256" in found ? found.sha256 : found.refused.message, what).toBeOneOf([now, before]);
}

async function expectSameBytes(name: string, what: string): Promise<void> {
  const { result, error } = await watchFiles(workspace.artifacts, undefined, () => workspace.run(name));
  if (!result) throw new Error(`the run after ${what}`, { cause: error });
  expect(result.manifest.contentSha256, what).toBe(workspace.hashes(name).now);
  expect(workspace.leftovers(), what).toEqual([]);
}

function isSlow(name: string): boolean {
  return name !== "fetch" && name !== "tokenize";
}

describe.each([...stages])("the stage %s", (name) => {
  test(
    "keeps the old artifact or has the new one, whichever change of files fails and however",
    { timeout: 3_000_000 },
    async () => {
      const { calls, error } = await runWith(name, undefined);
      expect(error).toBeUndefined();
      let failed = 0;
      for (let at = 1; at <= calls; at++) {
        const faults: Fault[] = [...kinds.map((kind) => ({ kind, at })), { kind: "ENOSPC", at, isLasting: true }];
        for (const fault of chosen(faults, `${name} ${at}`, 2)) {
          const watched = await runWith(name, fault);
          if (!watched.failed) continue;
          failed++;
          count(fault.kind === "kill" ? "kills" : "calls failed");
          const { kind, path } = watched.failed;
          const what = `${fault.kind}${fault.isLasting ? " that lasts" : ""} at call ${at}, ${kind} ${path}`;
          if (fault.kind !== "kill" && watched.error !== undefined && !(watched.error instanceof BertqaError)) {
            throw new Error(`no clear error after ${what}`, { cause: watched.error });
          }
          await expectWhole(name, what);
          // What an error leaves does not depend on its code: one run after the first tells, where runs take long.
          if (["kill", "ENOSPC"].includes(fault.kind) || !isSlow(name)) await expectSameBytes(name, what);
        }
      }
      expect(failed).toBeGreaterThan(0);
      report(`${name}: ${calls} calls that change files, ${failed} made to fail; lost: 0`);
    },
  );
});
