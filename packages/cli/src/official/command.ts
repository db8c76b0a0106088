import { runCommand } from "@bertqa/runner/command";
import {
  applyThreshold,
  findBestThreshold,
  noAnswerHistograms,
  precisionRecallCurves,
  rankQuestions,
  refuseWithout,
  scoreQuestions,
  summarize,
  type OfficialScores,
  type RankedQuestion,
} from "@bertqa/squad";
import { Command, InvalidArgumentError } from "commander";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readGoldQuestions, readNaProbs, readPredictions, type NaProbs } from "./input.ts";
import { formatPythonJson } from "./python-json.ts";

const stage = "evaluate";

interface OfficialOptions {
  readonly outFile?: string;
  readonly naProbFile?: string;
  readonly naProbThresh: number;
  readonly outImageDir?: string;
  readonly missingAsWrong?: boolean;
}

/** `bertqa-evaluate`: scores predictions as `evaluate-v2.0.py` does and prints them as it does, byte for byte. */
export async function runOfficialEvaluator(argv: readonly string[]): Promise<void> {
  const program = new Command("bertqa-evaluate")
    .description("Scores SQuAD 2.0 predictions as evaluate-v2.0.py does, to the last digit.")
    .argument("<data.json>", "questions and gold answers, in SQuAD format")
    .argument("<pred.json>", 'answer text by question id; "" for no answer')
    .option("-o, --out-file <eval.json>", "write the scores to a file (default: stdout)")
    .option("-n, --na-prob-file <na_prob.json>", "probability of no answer by question id; adds the best thresholds")
    .option(
      "-t, --na-prob-thresh <number>",
      'take "" for the prediction where the probability exceeds this',
      pythonNumber,
      1,
    )
    .option("-p, --out-image-dir <folder>", "with -n: add average precisions, save curves and histograms there")
    .option("-v, --verbose", "accepted and ignored, as in the script")
    .option("--missing-as-wrong", "a question without a prediction scores 0 (default: an error)")
    .option("--debug", "print the stack of an error")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((data: string, predictions: string, options: OfficialOptions) =>
      runCommand(() => evaluateFiles(data, predictions, options)),
    );
  if (argv.length > 0) return void (await program.parseAsync(withWholeNames(argv, program), { from: "user" }));
  program.outputHelp();
  process.exitCode = 1;
}

async function evaluateFiles(dataFile: string, predictionsFile: string, options: OfficialOptions): Promise<void> {
  const { naProbFile, naProbThresh, outFile } = options;
  const { questions, missingIds } = scoreQuestions(
    readGoldQuestions(stage, dataFile, "refused"),
    readPredictions(stage, predictionsFile),
  );
  const total = questions.length;
  if (!options.missingAsWrong) {
    const remedy = "Add them, or pass --missing-as-wrong to score each as 0";
    refuseWithout(stage, "prediction", { ids: missingIds, total }, { where: predictionsFile, remedy });
  }
  if (naProbFile === undefined) {
    // Without a file the script takes probability 0 for every question.
    const zeros = new Map(questions.map(({ id }) => [id, 0]));
    return print(summarize(applyThreshold(questions, zeros, naProbThresh)), {}, outFile);
  }
  const naProbs = readNaProbs(stage, naProbFile);
  const unrated = questions.filter(({ id, isMissing }) => !isMissing && !naProbs.byId.has(id)).map(({ id }) => id);
  refuseWithout(stage, "no-answer probability", { ids: unrated, total }, { where: naProbFile, remedy: "Add them" });
  const scores = summarize(applyThreshold(questions, naProbs.byId, naProbThresh));
  const ranked = rankQuestions(questions, naProbs.byId);
  const literals = addBestThresholds(scores, ranked, naProbs);
  if (options.outImageDir !== undefined) await addCurves(scores, ranked, options.outImageDir);
  print(scores, literals, outFile);
}

/** @returns best thresholds to print as the file writes them: a whole number may be written 1 or 1.0 */
function addBestThresholds(scores: OfficialScores, ranked: readonly RankedQuestion[], naProbs: NaProbs) {
  const literals: Record<string, string> = {};
  for (const metric of ["exact", "f1"] as const) {
    const best = findBestThreshold(ranked, metric);
    scores[`best_${metric}`] = best.score;
    scores[`best_${metric}_thresh`] = best.threshold;
    const literal = best.id !== undefined && Number.isInteger(best.threshold) ? naProbs.literalOf(best.id) : "";
    if (/^-?\d+$/.test(literal)) literals[`best_${metric}_thresh`] = String(BigInt(literal));
  }
  return literals;
}

async function addCurves(scores: OfficialScores, ranked: readonly RankedQuestion[], folder: string): Promise<void> {
  const curves = precisionRecallCurves(ranked);
  if (!curves) return;
  for (const key of ["exact", "f1", "oracle"] as const) scores[`pr_${key}_ap`] = curves[key].averagePrecision;
  const { officialImages } = await import("./images.ts");
  const histograms = noAnswerHistograms(ranked.map(({ question: { hasAns }, naProb }) => ({ hasAns, naProb })));
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of officialImages(curves, histograms)) writeFileSync(join(folder, name), bytes);
}

function print(scores: OfficialScores, literals: Record<string, string>, outFile: string | undefined): void {
  if (outFile === undefined) process.stdout.write(`${formatPythonJson(scores, literals, true)}\n`);
  else writeFileSync(outFile, formatPythonJson(scores, literals, false));
}

/** As Python's argparse does, takes a long option by any beginning that only one option has. */
function withWholeNames(argv: readonly string[], program: Command): string[] {
  const names = program.options.map(({ long }) => long as string);
  return argv.map((word) => {
    const [, beginning = "", value = ""] = /^(--[a-z][a-z-]*)(=.*)?$/s.exec(word) ?? [];
    const found = beginning === "" ? [] : names.filter((name) => name.startsWith(beginning));
    return found.length === 1 ? `${found[0]}${value}` : word;
  });
}

function pythonNumber(text: string): number {
  const plain = text.trim().toLowerCase();
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(plain)) return Number(plain);
  const infinite = /^([+-]?)inf(?:inity)?$/.exec(plain);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  throw new InvalidArgumentError(`Expected a number, got '${text}'.`);
}
