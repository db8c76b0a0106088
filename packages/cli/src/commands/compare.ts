import { BertqaError, modelLayout, openEvaluation, readJsonFile, readJsonLines, trainingRowSchema } from "@bertqa/core";
import { ownerOf, pipelinePaths } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { compareSides, summarizeSet, type Run, type Side } from "../compare.ts";
import { readGoldQuestions, type NamedQuestion } from "../official/input.ts";
import { comparisonLines, comparisonMarkdown, setCsv, setLines, setMarkdown } from "../print.ts";
import { readPastRun, readRun } from "../runs.ts";

export interface CompareOptions {
  readonly baseline?: string;
  readonly data?: string;
  readonly at: string;
  readonly samples: number;
  readonly seed: number;
  readonly show: number;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly csv?: boolean;
}

/**
 * Compares runs by paired bootstrap over articles, and prints the difference; several runs without a baseline are printed as a
 * set, with mean ± standard deviation between seeds.
 *
 * @param given pipeline folders, evaluation artifacts or prediction files, also separated by commas or with `*` in their last
 *   part; several are runs of one recipe
 */
export async function compare(given: readonly string[], options: CompareOptions): Promise<void> {
  const places = await Promise.all((await expand(given.join(","))).map(placeOf));
  const first = places[0] as Place;
  const gold = readGold(options.data ?? first.goldPath);
  const now: Side = await Promise.all(places.map((place) => readPlace(place, gold, options.at)));
  if (options.baseline === undefined && now.length > 1) {
    const set = summarizeSet(now);
    if (options.csv) return void process.stdout.write(setCsv(set));
    return print(options, set, { lines: () => setLines(set), markdown: () => setMarkdown(set) });
  }
  const readBaseline = async (wanted: string) => {
    if (wanted !== "last" && existsSync(wanted)) return readPlace(await placeOf(wanted), gold, options.at);
    return readPastRun(first.artifactsFolder, wanted, await contentHashOf(first.path), options.at);
  };
  const before = await Promise.all((await expand(options.baseline ?? "last")).map(readBaseline));
  const comparison = compareSides(before, now, options);
  const known = new Map((gold ?? []).map((question) => [question.id, question]));
  print(options, comparison, {
    lines: () => comparisonLines(comparison, known, options.show),
    markdown: () => comparisonMarkdown(comparison, known, options.show),
  });
}

interface Printed {
  readonly lines: () => readonly string[];
  readonly markdown: () => string;
}

function print({ json, markdown }: CompareOptions, value: unknown, text: Printed): void {
  const plain = () => (markdown ? text.markdown() : `${text.lines().join("\n")}\n`);
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : plain());
}

/** `a,b` → both; `pipelines/sweep-*` → the folders and files of that name, sorted. @throws BertqaError if there is none */
async function expand(text: string): Promise<string[]> {
  const expanded = await Promise.all(
    text.split(",").map(async (path) => {
      if (!basename(path).includes("*")) return [path];
      const pattern = new RegExp(`^${basename(path).split("*").map(escapeRegExp).join(".*")}$`);
      const names = await readdir(dirname(path)).catch(() => []);
      const found = names.filter((name) => pattern.test(name)).toSorted();
      if (found.length === 0) throw new BertqaError("compare", `nothing is named ${path}`);
      return found.map((name) => join(dirname(path), name));
    }),
  );
  return expanded.flat();
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** A run that was named, and what lies around it. */
interface Place {
  /** The evaluation artifact, or predictions. */
  readonly path: string;
  readonly artifactsFolder: string;
  /** The questions that it was measured by, where they are known. */
  readonly goldPath: string | undefined;
  readonly options?: ReadonlyMap<string, unknown>;
  readonly trainingMinutes?: number;
}

/** The evaluation of a pipeline, where a path is a pipeline's folder; else the path itself. */
async function placeOf(path: string): Promise<Place> {
  if (!existsSync(join(path, "project.json")) && !existsSync(join(path, "evaluate.json"))) {
    return { path, artifactsFolder: dirname(path), goldPath: existing(join(dirname(path), "fetch", "dev.json")) };
  }
  const paths = await pipelinePaths("compare", path);
  const artifactOf = async (stage: string) => join((await ownerOf("compare", paths, stage)).artifactsFolder, stage);
  const options = new Map<string, unknown>();
  for (const stage of ["fetch", "tokenize", "train", "predict"]) {
    for (const [key, value] of await optionsOf(await artifactOf(stage))) options.set(`${stage}.${key}`, value);
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

async function readPlace({ path, options, trainingMinutes }: Place, gold: Gold, at: string): Promise<Run> {
  return {
    ...(await readRun(path, gold, at)),
    ...(options && { options }),
    ...(trainingMinutes !== undefined && { trainingMinutes }),
  };
}

type Gold = readonly NamedQuestion[] | null;

function readGold(path: string | undefined): Gold {
  return path === undefined ? null : readGoldQuestions("compare", path, "leftOut");
}

async function contentHashOf(path: string): Promise<string | null> {
  if (!existsSync(join(path, "report.json"))) return null;
  return (await openEvaluation("compare", path)).artifact.manifest.contentSha256;
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
