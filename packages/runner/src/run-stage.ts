import {
  BertqaError,
  DamagedArtifactError,
  describeIssues,
  openers,
  readOptions,
  type Artifact,
  type OpenedKinds,
  type Reporter,
  type Stage,
  type StageContext,
  type StageReads,
} from "@bertqa/core";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { dropFromNxCache } from "./nx-cache.ts";
import { takeLock } from "./lock.ts";
import { refuseChangedInputs } from "./nx-inputs.ts";
import { ownerOf, pipelinePaths, type PipelinePaths } from "./paths.ts";
import { explainDiskError, lockOf, recoverInput, recoverPlace, removeBeside, writeArtifact } from "./place.ts";
import { openWork } from "./work.ts";

/** Any stage, whatever its options and reads. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a stage's run is contravariant in its context: no other type takes them all
export type AnyStage = Stage<any, any>;

/** How to run a stage. */
export interface StageRun {
  readonly reporter: Reporter;
  /** Another place for the artifacts than the rule gives; for tests and benches. */
  readonly artifactsFolder?: string | undefined;
  /** Options to use instead of those in the pipeline's folder; for tests. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Work in progress of another run to resume from. */
  readonly resume?: string | undefined;
  /** Finds the stages before this one, whose options files tell whether an input is stale; without it that is not looked at. */
  readonly findStage?: ((name: string) => Promise<AnyStage | undefined>) | undefined;
}

/**
 * Runs one stage of a pipeline: takes its place's lock, brings the place into order after a killed run, opens and checks the
 * inputs, runs the stage into a draft, and swaps the finished artifact in. A run that fails leaves the old artifact as it was.
 *
 * @param folder the pipeline's folder, which holds `<stage>.json`
 * @throws BertqaError if options or inputs are bad, missing, damaged or stale, or another run is writing here
 */
export async function runStage<Schema extends z.ZodObject, Reads extends StageReads>(
  stage: Stage<Schema, Reads>,
  folder: string,
  run: StageRun,
): Promise<Artifact> {
  const startedMs = performance.now();
  if (run.resume !== undefined && !stage.keepsWork) {
    throw new BertqaError(stage.name, "it keeps no work in progress", { remedy: "Leave out --resume" });
  }
  const ruled = await pipelinePaths(stage.name, folder);
  const paths = { ...ruled, artifactsFolder: run.artifactsFolder ?? ruled.artifactsFolder };
  const where = join(folder, `${stage.name}.json`);
  const options = run.options ? parseOptions(stage, run.options) : await readOptions(stage.name, where, stage.options);
  const localFiles = stage.localFiles?.(options, paths.pipelineFolder);
  refuseChangedInputs(stage.name, paths, localFiles);
  const place = join(paths.artifactsFolder, stage.name);
  const { artifactsFolder } = paths;
  const lock = await explained(stage.name, artifactsFolder, takeLock(stage.name, lockOf(place)));
  try {
    await explained(stage.name, artifactsFolder, recoverPlace(place));
    const inputs = await openInputs(stage, paths, run);
    const inputHashes = Object.fromEntries(
      Object.entries(inputs).map(([slot, { artifact }]) => [slot, artifact.manifest.contentSha256]),
    );
    const workFolder = `${place}.progress`;
    const artifact = await writeArtifact(stage.name, place, async (draft) => {
      const context: StageContext<z.output<Schema>, Reads> = {
        options,
        inputs: inputs as StageContext<z.output<Schema>, Reads>["inputs"],
        draft,
        reporter: run.reporter,
        pipeline: paths.pipeline,
        pipelineFolder: paths.pipelineFolder,
        where,
        logFolder: () => freshFolder(`${place}.log`),
        work: (identity) => {
          const command = `npx bertqa stage ${stage.name} ${folder}`;
          const at = { stage: stage.name, folder: workFolder, reporter: run.reporter, resume: run.resume, command };
          return openWork(at, identity);
        },
      };
      const result = await stage.run(context);
      if (localFiles) refuseChangedInputs(stage.name, paths, localFiles); // it has read them only now
      return { kind: stage.writes, options: decisive(stage, options), inputs: inputHashes, ...result };
    });
    const { reporter } = run;
    // The artifact is there and whole: what cannot be removed now is at the next start.
    await removeBeside(place, workFolder).catch((cause: NodeJS.ErrnoException) =>
      reporter.line(`the work in progress at ${workFolder} could not be removed: ${cause.code ?? cause.message}`),
    );
    const elapsedMs = performance.now() - startedMs;
    if (stage.record) {
      const recorded = stage.record({ ...paths, artifact, inputs: inputHashes, reporter, elapsedMs });
      await explained(stage.name, artifactsFolder, recorded);
    }
    return artifact;
  } catch (error) {
    if (error instanceof DamagedArtifactError) await dropFromNxCache(paths.workspaceFolder, error.folder, run.reporter);
    throw error;
  } finally {
    lock.release();
  }
}

async function explained<T>(stage: string, where: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw explainDiskError(stage, where, cause);
  }
}

function parseOptions<Schema extends z.ZodObject>(stage: Stage<Schema>, given: object): z.output<Schema> {
  const parsed = stage.options.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new BertqaError(stage.name, `the options break their schema: ${describeIssues(parsed.error)}`);
}

/** Options that decide bytes. */
function decisive(stage: AnyStage, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const incidental = new Set(stage.incidentalOptions ?? []);
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => !incidental.has(name) && value !== undefined),
  );
}

async function freshFolder(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

type Opened = Record<string, OpenedKinds[keyof OpenedKinds]>;

async function openInputs(stage: AnyStage, paths: PipelinePaths, run: StageRun): Promise<Opened> {
  const opened: Opened = {};
  for (const [slot, { kind, from }] of Object.entries(stage.reads as StageReads)) {
    const owner = await ownerOf(stage.name, paths, from);
    // Another pipeline's artifacts lie beside this one's.
    const artifactsFolder = owner === paths ? paths.artifactsFolder : join(paths.artifactsFolder, "..", owner.pipeline);
    const place = join(artifactsFolder, from);
    if (!existsSync(place)) await explained(stage.name, artifactsFolder, recoverInput(stage.name, place));
    opened[slot] = await openers[kind](stage.name, place);
    await refuseOtherOptions(stage, from, owner, opened[slot].artifact, run);
  }
  refuseOtherLineage(stage, opened);
  return opened;
}

/** An artifact made before its stage's options file was changed would pass for a new one where that stage failed since. */
async function refuseOtherOptions(
  stage: AnyStage,
  from: string,
  owner: PipelinePaths,
  artifact: Artifact,
  run: StageRun,
): Promise<void> {
  const path = join(owner.pipelineFolder, `${from}.json`);
  const maker = await run.findStage?.(from);
  if (!maker || !existsSync(path)) return;
  const schema = maker.options as z.ZodObject;
  const options = decisive(maker, await readOptions(stage.name, path, schema));
  const now = JSON.parse(JSON.stringify(options)) as Record<string, unknown>;
  const made = artifact.manifest.options;
  const changed = [...new Set([...Object.keys(now), ...Object.keys(made)])].filter(
    (name) => !isDeepStrictEqual(now[name], made[name]),
  );
  if (changed.length === 0) return;
  throw new BertqaError(
    stage.name,
    `${artifact.folder} was made with another ${changed.join(", ")} than ${path} says now`,
    {
      remedy: `Run the ${from} stage first`,
    },
  );
}

/** Each input must have been made from the other inputs that lie there: else ids, offsets or answers belong to other data. */
function refuseOtherLineage(stage: AnyStage, opened: Opened): void {
  for (const { artifact } of Object.values(opened)) {
    for (const [slot, sha256] of Object.entries(artifact.manifest.inputs)) {
      const other = opened[slot]?.artifact;
      if (!other || other.manifest.contentSha256 === sha256) continue;
      const { kind } = artifact.manifest;
      const maker = Object.values(stage.reads as StageReads).find((read) => read.kind === kind)?.from;
      throw new BertqaError(
        stage.name,
        `the ${kind} in ${artifact.folder} were made from another ${slot} than the one in ${other.folder}`,
        {
          remedy: `Run the ${maker} stage again`,
        },
      );
    }
  }
}
