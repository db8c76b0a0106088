import type { Question } from "@bertqa/core";
import { runCommand } from "@bertqa/runner";
import { Command, InvalidArgumentError, Option } from "commander";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { thresholdKinds } from "../results.ts";
import { compareSides, type Comparison, type Side } from "./compare.ts";
import { comparisonLines } from "./print.ts";
import { readGold, readRun, type ThresholdChoice } from "./read-run.ts";

interface CompareOptions {
  readonly data?: string;
  readonly at: ThresholdChoice;
  readonly samples: number;
  readonly seed: number;
  readonly show: number;
  readonly json?: boolean;
}

const program = new Command("bertqa-compare")
  .description("Compares runs on the same questions by paired bootstrap over articles: B, C … each with A")
  .argument("<A>", "evaluation artifact, folder with predictions.json, or predictions file; several seeds: A1,A2,A3")
  .argument("<B...>", "the same")
  .option("--data <dev.json>", "questions in SQuAD format: needed to score predictions, and to show questions")
  .addOption(
    new Option("--at <threshold>", "score evaluation artifacts at this of their thresholds")
      .choices(["primary", ...thresholdKinds])
      .default("primary"),
  )
  .option("--samples <n>", "resamples", wholeNumber(10), 10_000)
  .option("--seed <n>", "seed of the resamples", wholeNumber(0), 42)
  .option("--show <n>", "flipped questions to show each way", wholeNumber(0), 5)
  .option("--json", "print all of it as JSON")
  .option("--debug", "print the stack of an error")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

await runCommand(async () => {
  const options = program.opts<CompareOptions>();
  const [a, ...others] = [program.args[0] as string, ...program.args.slice(1)].map((side) => side.split(","));
  const goldPath = options.data ?? datasetBeside(a?.[0] ?? "");
  const gold = goldPath === undefined ? null : await readGold(goldPath);
  const readSide = (paths: readonly string[]): Promise<Side> =>
    Promise.all(paths.map((path) => readRun(path, gold, options.at)));
  const sideA = await readSide(a as string[]);
  const comparisons: Comparison[] = [];
  for (const paths of others) comparisons.push(compareSides(sideA, await readSide(paths), options));
  process.stdout.write(options.json ? `${JSON.stringify(comparisons, null, 2)}\n` : text(comparisons, gold, options));
});

function text(comparisons: readonly Comparison[], gold: readonly Question[] | null, options: CompareOptions): string {
  const questions = new Map((gold ?? []).map((question) => [question.id, question]));
  const blocks = comparisons.map((comparison) => comparisonLines(comparison, questions, options.show).join("\n"));
  return `${blocks.join("\n\n")}\n`;
}

/** The dev file of the dataset artifact in the same pipeline, so that flipped questions show without asking for it. */
function datasetBeside(run: string): string | undefined {
  const path = join(dirname(run), "fetch", "dev.json");
  return existsSync(path) ? path : undefined;
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} on.`);
  };
}
