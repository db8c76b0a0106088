import { modelLayout, readJsonFile, readJsonLines, trainingRowSchema } from "@bertqa/core";
import { ownerOf, pipelinePaths } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

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

/** The evaluation of a pipeline, where a path is a pipeline's folder; else the path itself. */
export async function placeOf(path: string): Promise<Place> {
  if (!existsSync(join(path, "project.json")) && !existsSync(join(path, "evaluate.json"))) {
    return { path, artifactsFolder: dirname(path), goldPath: existing(join(dirname(path), "fetch", "dev.json")) };
  }
  const paths = await pipelinePaths("compare", path);
  const artifactOf = async (stage: string) => join((await ownerOf("compare", paths, stage)).artifactsFolder, stage);
  const options = new Map<string, unknown>();
  for (const stage of ["fetch", "tokenize", "train", "predict", "evaluate"]) {
    for (const [key, value] of await optionsOf(await artifactOf(stage))) {
      if (!movesNoScore.has(`${stage}.${key}`)) options.set(`${stage}.${key}`, value);
    }
  }
  const trainingMinutes = await minutesOf(await artifactOf("train"));
  return {
    ...(trainingMinutes !== undefined && { trainingMinutes }),
    path: relative("", await artifactOf("evaluate")),
    artifactsFolder: paths.artifactsFolder,
    goldPath: existing(join(await artifactOf("fetch"), "dev.json")),
    options,
  };
}

/** Of evaluate's options those that decide how much is told of a score, not the score. */
const movesNoScore: ReadonlySet<string> = new Set(["evaluate.bootstrapSamples", "evaluate.reliabilityBins"]);

const manifestSchema = z.looseObject({ options: z.record(z.string(), z.unknown()) });

/** The options that an artifact was made with; none where there is no artifact. */
async function optionsOf(artifact: string): Promise<[string, unknown][]> {
  const path = join(artifact, "manifest.json");
  return existsSync(path) ? leaves((await readJsonFile("compare", path, manifestSchema)).options) : [];
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
