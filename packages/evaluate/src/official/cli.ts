import {
  applyThreshold,
  findBestThreshold,
  noAnswerHistograms,
  precisionRecallCurves,
  rankQuestions,
  scoreQuestions,
  summarize,
  type Curves,
  type NoAnswerHistograms,
  type OfficialScores,
  type RankedQuestion,
  type ScoredQuestion,
} from "@bertqa/squad";
import { mkdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { help, readArguments, usage, UsageProblem, type OfficialArguments } from "./arguments.ts";
import { InputProblem, readGoldQuestions, readNaProbs, readPredictions, type NaProbs } from "./input.ts";
import { formatPythonJson } from "./python-json.ts";

const shownIds = 5;

/** Draws the images of `--out-image-dir`: PNG bytes by file name. */
type DrawImages = (curves: Curves, histograms: NoAnswerHistograms) => ReadonlyMap<string, Uint8Array>;

/**
 * `bertqa-evaluate`: the official evaluator's command line. What draws is loaded for `--out-image-dir` alone.
 *
 * @returns the exit code
 */
export async function main(argv: readonly string[], loadDrawing: () => Promise<DrawImages>): Promise<number> {
  try {
    const found = argv.length === 0 ? undefined : readArguments(argv);
    if (!found) writeOut(`${help}\n`);
    else await evaluateFiles(found, loadDrawing);
    return argv.length === 0 ? 1 : 0;
  } catch (error) {
    if (error instanceof UsageProblem) {
      process.stderr.write(`${usage}\nbertqa-evaluate: error: ${error.message}\n`);
      return 2;
    }
    if (!(error instanceof InputProblem)) throw error;
    process.stderr.write(`evaluate: ${error.message}\n`);
    return 1;
  }
}

async function evaluateFiles(found: OfficialArguments, loadDrawing: () => Promise<DrawImages>): Promise<void> {
  const gold = readGoldQuestions(found.dataFile);
  const { questions, missingIds } = scoreQuestions(gold, readPredictions(found.predictionsFile));
  if (!found.isMissingWrong) refuseMissing(missingIds, "prediction", found.predictionsFile);
  const naProbs = found.naProbFile === undefined ? undefined : readNaProbs(found.naProbFile);
  if (!naProbs) return print(summarize(withDefaultProbability(questions, found.naProbThreshold)), {}, found);

  const unrated = questions.filter(({ id, isMissing }) => !isMissing && !naProbs.byId.has(id));
  refuseMissing(
    unrated.map(({ id }) => id),
    "no-answer probability",
    found.naProbFile as string,
  );
  const scores = summarize(applyThreshold(questions, naProbs.byId, found.naProbThreshold));
  const ranked = rankQuestions(questions, naProbs.byId);
  const literals = addBestThresholds(scores, ranked, naProbs);
  if (found.imageFolder !== undefined) {
    const curves = precisionRecallCurves(ranked);
    if (curves) addAveragePrecisions(scores, curves);
    const asked = ranked.map(({ question, naProb }) => ({ hasAns: question.hasAns, naProb }));
    if (curves) saveImages((await loadDrawing())(curves, noAnswerHistograms(asked)), found.imageFolder);
  }
  print(scores, literals, found);
}

/** Without a file the script takes probability 0 for every question. */
function withDefaultProbability(questions: ScoredQuestion[], threshold: number): readonly ScoredQuestion[] {
  return threshold >= 0 ? questions : applyThreshold(questions, new Map(questions.map(({ id }) => [id, 0])), threshold);
}

function addBestThresholds(
  scores: OfficialScores,
  ranked: readonly RankedQuestion[],
  naProbs: NaProbs,
): Record<string, string> {
  const literals: Record<string, string> = {};
  for (const metric of ["exact", "f1"] as const) {
    const best = findBestThreshold(ranked, metric);
    scores[`best_${metric}`] = best.score;
    scores[`best_${metric}_thresh`] = best.threshold;
    // A whole number may be written 1 or 1.0, and is printed as it came.
    const literal = best.id !== undefined && Number.isInteger(best.threshold) ? naProbs.literalOf(best.id) : "";
    if (/^-?\d+$/.test(literal)) literals[`best_${metric}_thresh`] = String(BigInt(literal));
  }
  return literals;
}

function addAveragePrecisions(scores: OfficialScores, curves: Curves): void {
  scores["pr_exact_ap"] = curves.exact.averagePrecision;
  scores["pr_f1_ap"] = curves.f1.averagePrecision;
  scores["pr_oracle_ap"] = curves.oracle.averagePrecision;
}

function saveImages(images: ReadonlyMap<string, Uint8Array>, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of images) writeFileSync(join(folder, name), bytes);
}

function refuseMissing(ids: readonly string[], noun: string, path: string): void {
  if (ids.length === 0) return;
  const named = ids
    .slice(0, shownIds)
    .map((id) => JSON.stringify(id))
    .join(", ");
  const more = ids.length > shownIds ? ` and ${ids.length - shownIds} more` : "";
  const remedy = noun === "prediction" ? " Add them, or pass --missing-as-wrong to score each as 0." : "";
  const subject = ids.length === 1 ? "1 question has" : `${ids.length} questions have`;
  throw new InputProblem(`${subject} no ${noun}: ${named}${more}.${remedy} (${path})`);
}

function print(scores: OfficialScores, literals: Record<string, string>, { outFile }: OfficialArguments): void {
  if (outFile === undefined) writeOut(`${formatPythonJson(scores, literals, true)}\n`);
  else writeFileSync(outFile, formatPythonJson(scores, literals, false));
}

/** Without the stream classes behind `process.stdout`: loading them takes as long as reading the predictions. */
function writeOut(text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      // The reader of a non-blocking pipe is behind.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}
