import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { defineStage, silentReporter, type HostTensor } from "@bertqa/core";
import { runStage, type AnyStage } from "@bertqa/runner";
import { openCheckpoints } from "../../../packages/train/src/checkpoints.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import type { Writer } from "./replay.ts";
import { forgetOwner, openWhole } from "./workspace.ts";

const stepCount = 4;

/** Counts its steps, and saves after each as training does, in a thousandth of the time: the sum of the steps is its model. */
const savingStage = defineStage({
  name: "train",
  summary: "Adds up the numbers of its steps",
  options: z.strictObject({ factor: z.number() }),
  reads: {},
  writes: "model",
  run: async ({ options, draft, work }) => {
    const { folder } = await work({ decides: { ...options }, code: [] });
    const checkpoints = openCheckpoints(folder);
    const found = await checkpoints.load();
    const losses = found?.losses ?? [];
    const state = new Map<string, HostTensor>(
      found?.state ?? ["a", "b", "c", "d"].map((name) => [name, { shape: [1], data: Float32Array.of(0) }]),
    );
    while (losses.length < stepCount) {
      losses.push(losses.length + 1);
      for (const { data } of state.values()) data[0]! += options.factor * losses.length;
      await checkpoints.save({ losses, state });
    }
    await writeFile(
      await draft.path("sum.json"),
      JSON.stringify([...state].map(([name, { data }]) => [name, data[0]])),
    );
    return { counts: { steps: losses.length } };
  },
});

/** That stage, in a workspace of the test's own. */
export async function makeSavingWriter(): Promise<Writer> {
  const workspace = await temporaryFolder();
  const [pipeline, artifacts] = [join(workspace, "pipelines", "tiny"), join(workspace, "artifacts", "tiny")];
  mkdirSync(pipeline, { recursive: true });
  writeFileSync(join(workspace, "nx.json"), "{}");
  const run = async (factor: number) => {
    const given = { reporter: silentReporter, options: { factor } };
    return (await runStage(savingStage as AnyStage, pipeline, given)).manifest.contentSha256;
  };
  const kept = join(workspace, "kept");
  const before = await run(1);
  cpSync(artifacts, kept, { recursive: true });
  const now = await run(2);
  const reset = async () => {
    rmSync(artifacts, { recursive: true, force: true });
    cpSync(kept, artifacts, { recursive: true });
  };
  return {
    ...{ name: "train", folder: artifacts, hashes: { before, now }, reset },
    run: () => run(2),
    forgetOwner: () => forgetOwner(artifacts, "train"),
    open: (folder) => openWhole(join(folder, "train"), "model"),
    leftovers: () => readdirSync(artifacts).filter((name) => name !== "train"),
  };
}
