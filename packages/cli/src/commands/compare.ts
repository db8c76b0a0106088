import { openEvaluation } from "@bertqa/core";
import { pipelinePaths } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { compareSides, type Side } from "../compare.ts";
import { readGoldQuestions } from "../official/input.ts";
import { comparisonLines, comparisonMarkdown } from "../print.ts";
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
}

/**
 * Compares runs by paired bootstrap over articles, and prints the difference.
 *
 * @param compared pipeline folders, evaluation artifacts or prediction files; several, separated by commas, are seeds of one run
 */
export async function compare(compared: string, options: CompareOptions): Promise<void> {
  const paths = await Promise.all(compared.split(",").map(evaluationFolderOf));
  const artifactsFolder = dirname(paths[0] as string);
  const goldPath = options.data ?? existing(join(artifactsFolder, "fetch", "dev.json"));
  const gold = goldPath === undefined ? null : readGoldQuestions(goldPath);
  const now: Side = await Promise.all(paths.map((path) => readRun(path, gold, options.at)));
  const readBaseline = async (wanted: string) => {
    if (wanted !== "last" && existsSync(wanted)) return readRun(await evaluationFolderOf(wanted), gold, options.at);
    return readPastRun(artifactsFolder, wanted, await contentHashOf(paths[0] as string), options.at);
  };
  const before = await Promise.all((options.baseline ?? "last").split(",").map(readBaseline));
  const comparison = compareSides(before, now, options);
  const known = new Map((gold ?? []).map((question) => [question.id, question]));
  const text = options.markdown
    ? comparisonMarkdown(comparison, known, options.show)
    : `${comparisonLines(comparison, known, options.show).join("\n")}\n`;
  process.stdout.write(options.json ? `${JSON.stringify(comparison, null, 2)}\n` : text);
}

/** The evaluation of a pipeline, where a path is a pipeline's folder; else the path itself. */
async function evaluationFolderOf(path: string): Promise<string> {
  if (!existsSync(join(path, "evaluate.json"))) return path;
  const { artifactsFolder } = await pipelinePaths("compare", path);
  return relative("", join(artifactsFolder, "evaluate"));
}

async function contentHashOf(path: string): Promise<string | null> {
  if (!existsSync(join(path, "report.json"))) return null;
  return (await openEvaluation("compare", path)).artifact.manifest.contentSha256;
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
