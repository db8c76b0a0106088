import {
  artifactKinds,
  BertqaError,
  manifestName,
  modelLayout,
  readJsonFile,
  readJsonLines,
  stageOfKind,
  trainingRowSchema,
} from "@bertqa/core";
import { ownerOf, pipelinePaths } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { findPipeline } from "./pipeline-files.ts";

/** A run that was named, and what lies around it. */
export interface Place {
  /** The evaluation artifact, or predictions. */
  readonly path: string;
  readonly artifactsFolder: string;
  /** The questions that it was measured by, where they are known. */
  readonly goldPath: string | undefined;
  readonly options?: ReadonlyMap<string, unknown>;
  readonly trainingMinutes?: number;
}

/**
 * The evaluation of a pipeline, where it is one's folder or name; else the path itself.
 *
 * @throws BertqaError if a pipeline has no evaluation, or one that is older than what it would be labelled by
 */
export async function placeOf(path: string): Promise<Place> {
  const pipelineFolder = findPipeline("compare", path);
  if (pipelineFolder === undefined) return { path, artifactsFolder: dirname(path), goldPath: await goldBeside(path) };
  const paths = await pipelinePaths("compare", pipelineFolder);
  const made = new Map<string, Made>();
  for (const stage of ["fetch", "tokenize", "train", "predict", "evaluate"]) {
    const folder = join((await ownerOf("compare", paths, stage)).artifactsFolder, stage);
    made.set(stage, { folder, manifest: await manifestOf(folder) });
  }
  const folderOf = (stage: string) => made.get(stage)!.folder;
  if (!made.get("evaluate")!.manifest) {
    const remedy = `Run npx nx run ${paths.pipeline}:evaluate first`;
    throw new BertqaError("compare", `${pipelineFolder} has no evaluation`, {
      remedy,
      where: relative("", folderOf("evaluate")),
    });
  }
  refuseOtherLineage(made);
  const trainingMinutes = await minutesOf(folderOf("train"));
  return {
    ...(trainingMinutes !== undefined && { trainingMinutes }),
    path: relative("", folderOf("evaluate")),
    artifactsFolder: paths.artifactsFolder,
    goldPath: existing(join(folderOf("fetch"), "dev.json")),
    options: optionsOf(made),
  };
}

/** Where a stage's artifact lies, and its manifest; undefined where there is no artifact. */
interface Made {
  readonly folder: string;
  readonly manifest: z.output<typeof manifestSchema> | undefined;
}

/** Of evaluate's options those that decide how much is told of a score, not the score. */
const movesNoScore: ReadonlySet<string> = new Set(["evaluate.bootstrapSamples", "evaluate.reliabilityBins"]);

const manifestSchema = z.looseObject({
  options: z.record(z.string(), z.unknown()),
  inputs: z.record(z.string(), z.string()),
  contentSha256: z.string(),
});

/** Undefined where there is no artifact. */
async function manifestOf(artifact: string) {
  const path = join(artifact, manifestName);
  return existsSync(path) ? readJsonFile("compare", path, manifestSchema) : undefined;
}

/** The options that artifacts were made with, such as `train.seed`; none of a stage without an artifact. */
function optionsOf(made: ReadonlyMap<string, Made>): ReadonlyMap<string, unknown> {
  const all = [...made].flatMap(([stage, { manifest }]) => leaves(manifest?.options ?? {}, `${stage}.`));
  return new Map(all.filter(([key]) => !movesNoScore.has(key)));
}

/**
 * Scores of an evaluation, beside the options and minutes of artifacts that were made since, would be another run's.
 *
 * @throws BertqaError if the evaluation was made from another artifact than one that lies there now
 */
function refuseOtherLineage(made: ReadonlyMap<string, Made>): void {
  const evaluation = made.get("evaluate");
  for (const kind of artifactKinds) {
    const sha256 = evaluation?.manifest?.inputs[kind];
    const input = made.get(stageOfKind[kind]);
    if (sha256 === undefined || !input?.manifest || input.manifest.contentSha256 === sha256) continue;
    const [scores, other] = [relative("", evaluation!.folder), relative("", input.folder)];
    const problem = `the evaluation in ${scores} was made from another ${kind} artifact than that in ${other}`;
    throw new BertqaError("compare", problem, { remedy: "Run the evaluate stage first" });
  }
}

/** The questions of the dataset beside an artifact, where that is the one that it was made from. */
async function goldBeside(path: string): Promise<string | undefined> {
  const fetched = join(dirname(path), "fetch");
  const [made, now] = [(await manifestOf(path))?.inputs["dataset"], (await manifestOf(fetched))?.contentSha256];
  const isOther = made !== undefined && now !== undefined && made !== now;
  return isOther ? undefined : existing(join(fetched, "dev.json"));
}

/** `{dataset: {train: {draw: {questions: 100}}}}` → `dataset.train.draw.questions`, 100. Lists stay whole. */
function leaves(options: Readonly<Record<string, unknown>>, prefix = ""): [string, unknown][] {
  return Object.entries(options).flatMap(([key, value]): [string, unknown][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? leaves(value as Record<string, unknown>, `${prefix}${key}.`)
      : [[prefix + key, value]],
  );
}

/** A row of a training log, with a time where it is of the log beside the artifact. */
const rowSchema = z.object({ ...trainingRowSchema.shape, elapsedMs: z.number().optional() });
type LogRow = z.output<typeof rowSchema>;

/** How long the training of an artifact took on this machine, by the log beside it; undefined where it is not known whole. */
async function minutesOf(artifact: string): Promise<number | undefined> {
  const [live, own] = await Promise.all([logRows(`${artifact}.log`), logRows(artifact)]);
  // Nx restores the artifact alone: the log beside it may still be that of another training.
  const isOwn = isDeepStrictEqual(live.map(withoutTime), own.map(withoutTime));
  const [first, last] = [live[0]?.elapsedMs, live.at(-1)?.elapsedMs];
  // Rows before a resumption have no times.
  return !isOwn || first === undefined || last === undefined ? undefined : last / 60_000;
}

function withoutTime({ step, totalSteps, loss, learningRate }: LogRow): readonly number[] {
  return [step, totalSteps, loss, learningRate];
}

/** The rows of a training's log; none where it is not there or damaged. */
function logRows(folder: string): Promise<LogRow[]> {
  return readJsonLines("compare", join(folder, modelLayout.log), rowSchema).catch(() => []);
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
