import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openers, type ArtifactKind } from "@bertqa/core";
import { findStage } from "../../packages/cli/src/stages.ts";
import { copyWorkspace, stages } from "../support/workspace-copy.ts";
import { runNx, type KillMoment, type NxRun } from "./support/kill-run.ts";
import { isFull, randomOf } from "./support/scale.ts";
import { Tally } from "./support/tally.ts";
import { size, stageOptions } from "./support/workspace.ts";

/**
 * The pipeline is run by Nx, and all its processes are killed at once at a drawn moment of each stage in turn; the next run goes on
 * from there. Each round replaces the artifacts of the one before, which were made with other options.
 */
const kills = 30;
const variants = ["now", "before"] as const;
type Variant = (typeof variants)[number];

const workspace = mkdtempSync(join(tmpdir(), "bertqa-nx-kills-"));
const artifacts = join(workspace, "artifacts", "tiny");
const run = (moment?: KillMoment) =>
  runNx(["run", "tiny:export", "--outputStyle=static"], { workspace, artifacts }, moment);

/** Steps enough that some kills come between them. */
const trainOptions = (variant: Variant) => ({
  ...stageOptions["train"]![variant],
  maxSteps: variant === "now" ? 60 : 50,
  checkpointEverySteps: 4,
  epochs: 6,
});

/** As in a new clone: nothing is in Nx's cache. */
function choose(variant: Variant): void {
  rmSync(join(workspace, ".nx"), { recursive: true, force: true });
  for (const stage of stages) {
    const options = stage === "train" ? trainOptions(variant) : stageOptions[stage]![variant];
    writeFileSync(join(workspace, "pipelines", "tiny", `${stage}.json`), JSON.stringify(options));
  }
}

function expectSuccess({ exitCode, output }: NxRun): void {
  if (exitCode !== 0) throw new Error(`Nx ended with ${exitCode}:\n${output}`);
}

/** The content's hash of an artifact, all of it read; undefined where there is none. */
async function hashOf(stage: string, kind: ArtifactKind): Promise<string | undefined> {
  if (!existsSync(join(artifacts, stage))) return undefined;
  const { artifact } = await openers[kind]("test", join(artifacts, stage));
  for (const { path } of artifact.manifest.files) await artifact.file(path);
  return artifact.manifest.contentSha256;
}

describe.runIf(isFull)("30 kills through Nx", () => {
  const kinds = new Map<string, ArtifactKind>();
  const expected = { now: new Map<string, string>(), before: new Map<string, string>() };
  /** How long a stage took undisturbed. */
  let heldMs: ReadonlyMap<string, number>;

  const hashes = async () => {
    const entries = stages.map(async (stage) => [stage, await hashOf(stage, kinds.get(stage)!)] as const);
    return new Map(await Promise.all(entries));
  };

  beforeAll(async () => {
    await copyWorkspace(workspace, size);
    for (const stage of stages) kinds.set(stage, (await findStage(stage))!.writes);
    for (const variant of variants) {
      choose(variant);
      const undisturbed = await run();
      expectSuccess(undisturbed);
      heldMs = undisturbed.heldMs;
      for (const [stage, sha256] of await hashes()) expected[variant].set(stage, sha256!);
    }
  }, 900_000);

  afterAll(() => rmSync(workspace, { recursive: true, force: true }));

  /** Kills a run within a stage. @returns whether the stage was running */
  async function killIn(stage: string, round: number, tally: Tally): Promise<boolean> {
    // A little beyond the end: Nx is putting the result into its cache then.
    const afterMs = heldMs.get(stage)! * 1.1 * (randomOf("nx kill", stage, round).integerBelow(1000) / 1000);
    await run({ stage, afterMs });
    const what = `a kill ${afterMs.toFixed(0)} ms into ${stage}, round ${round}`;
    for (const each of stages) {
      try {
        const found = await hashOf(each, kinds.get(each)!);
        const isWhole = found === undefined || variants.some((variant) => expected[variant].get(each) === found);
        if (!isWhole) tally.find("accepted", `${what}: ${each} is ${found}`);
      } catch (error) {
        tally.find("lost", `${what}: ${each} is half-made`, error);
      }
    }
    return existsSync(join(artifacts, `.${stage}.lock`));
  }

  test(
    "leave nothing half-made, and the next runs end with the bytes of an undisturbed one",
    { timeout: 1_800_000 },
    async () => {
      const tally = new Tally();
      const hits = new Map(stages.map((stage) => [stage, 0]));
      let [total, between] = [0, 0];
      for (let round = 0; total < kills; round++) {
        const variant = variants[round % 2]!;
        choose(variant);
        for (const stage of stages) {
          if (await killIn(stage, round, tally)) {
            hits.set(stage, hits.get(stage)! + 1);
            total++;
          } else between++;
        }
        expectSuccess(await run());
        const what = `round ${round}`;
        const check = async (when: string) => {
          for (const [stage, sha256] of await hashes()) {
            if (sha256 !== expected[variant].get(stage)) tally.find("lost", `${what}, ${when}: ${stage} is ${sha256}`);
          }
        };
        await check("after its last run");
        const left = readdirSync(artifacts).filter((name) => !/^[a-z]+(\.log)?$|^history\.jsonl$|\.lock-/.test(name));
        if (left.length > 0) tally.find("other", `${what}: there is left ${left.join(", ")}`);
        rmSync(artifacts, { recursive: true });
        const restored = await run();
        expectSuccess(restored);
        await check("from Nx's cache");
        const ran = stages.filter(
          (stage) => !new RegExp(`nx run tiny:${stage} {2}\\[local cache`).test(restored.output),
        );
        if (ran.length > 0) tally.find("other", `${what}: ${ran.join(", ")} did not come from Nx's cache`);
      }
      tally.count("kills", total);
      const counted = [...hits].map(([stage, number]) => `${stage} ${number}`).join(", ");
      tally.close(`through Nx, killed in ${counted}, and ${between} between stages`);
      expect([...hits.values()].every((number) => number > 0)).toBe(true);
    },
  );
});
