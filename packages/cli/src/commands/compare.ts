import { BertqaError, openEvaluation } from "@bertqa/core";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { compareSides, summarizeSet, type Run, type Side } from "../compare.ts";
import { readGoldQuestions, type NamedQuestion } from "../official/input.ts";
import { findPipeline } from "../pipeline-files.ts";
import { placeOf, type Place } from "../place.ts";
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
 * @param given pipelines by folder or name, evaluation artifacts or prediction files, also separated by commas or with `*` in
 *   their last part; several are runs of one recipe
 */
export async function compare(given: readonly string[], options: CompareOptions): Promise<void> {
  const places = await Promise.all((await expand(given.join(","))).map(placeOf));
  const first = places[0] as Place;
  const gold = readGold(options.data ?? first.goldPath);
  const now: Side = await Promise.all(places.map((place) => readPlace(place, gold, options.at)));
  if (options.baseline === undefined && (now.length > 1 || options.csv)) {
    const set = summarizeSet(now);
    if (options.csv) return void process.stdout.write(setCsv(set));
    return print(options, set, { lines: () => setLines(set), markdown: () => setMarkdown(set) });
  }
  const readBaseline = async (wanted: string) => {
    const isPlace = wanted !== "last" && (existsSync(wanted) || findPipeline("compare", wanted) !== undefined);
    if (isPlace) return readPlace(await placeOf(wanted), gold, options.at);
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
