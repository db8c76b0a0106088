import type { AnswerRules } from "@bertqa/answers";
import {
  BertqaError,
  countOf,
  defineStage,
  formatDuration,
  predictionsLayout,
  predictionSplits,
  writeLogitShard,
  type ArtifactDraft,
  type BertConfig,
  type Candidate,
  type ModelArtifact,
  type PredictionSplit,
  type Reporter,
  type StageContext,
  type WindowShard,
  type WindowsArtifact,
  type WindowSplit,
} from "@bertqa/core";
import { describeDevice, loadEngine } from "@bertqa/engine";
import {
  createPredictor,
  readCheckpoint,
  type BertCheckpoint,
  type CheckpointReport,
  type Predictor,
} from "@bertqa/model";
import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { answersOf, countAnswers, jsonObjectLines, type AnsweredQuestion } from "./answers.ts";
import { batchRulesFor, type BatchRules } from "./batches.ts";
import { predictShards, rowOf, type PredictionRow, type Tally } from "./loop.ts";
import { predictOptionsSchema, type PredictOptions } from "./options.ts";
import { longAnswers, planSplit, requireReadableCandidates, surveyShards, type SplitPlan } from "./split.ts";

const stage = "predict";
/** Windows of a shard of logits: 25 MB where all have 384 tokens. */
const logitShardWindows = 8192;

const reads = {
  dataset: { kind: "dataset", from: "fetch" },
  windows: { kind: "windows", from: "tokenize" },
  model: { kind: "model", from: "train" },
} as const;
type Inputs = StageContext<PredictOptions, typeof reads>["inputs"];

/**
 * Answers the questions of `dev`, and of `tune` and `sanity` where there are any. Equal inputs on the same device give equal bytes.
 *
 * Throws a BertqaError if the windows do not fit the model, or the model's logits are not finite.
 */
export const predictStage = defineStage({
  name: stage,
  summary: "Answers the dev questions with the trained model",
  options: predictOptionsSchema,
  reads,
  writes: "predictions",
  run: async ({ options, inputs, draft, reporter, logFolder }) => {
    const checkpoint = await readModel(inputs.model);
    const plans = await planSplits(inputs, checkpoint.config, options, reporter);
    const engine = await loadEngine();
    const precision = options.precision === "auto" ? (await describeDevice()).recommendedPrecision : options.precision;
    const rules = { ...options, noAnswerAllowed: await mayHaveNoAnswer(options, inputs) };
    const predictor = createPredictor(engine, checkpoint, { precision });
    const { compilesShapes } = predictor;
    const batchRules = batchRulesFor(engine.device, checkpoint.config, options.batchTokens, compilesShapes);
    try {
      const counts: Record<string, number> = {};
      const rows: PredictionRow[] = [];
      for (const [split, plan] of plans) {
        const run = { draft, split, plan, predictor, reporter, batchRules };
        reporter.line(`${split}: ${countOf(plan.windowCount, "window")}, ${precision}, ${engine.device}`);
        rows.push(await predictLogits(run, shardsOf(inputs.windows, split)));
        Object.assign(counts, await writeAnswers(run, rules));
      }
      const log = join(await logFolder(), "log.jsonl");
      await writeFile(log, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      const versions = { tensorflow: engine.binding.TF_Version, tfjs: engine.tf.version["tfjs-core"] };
      const resolved = {
        precision,
        batchTokens: batchRules.batchTokens,
        noAnswerAllowed: rules.noAnswerAllowed,
      };
      return { counts, versions, resolved };
    } finally {
      predictor.dispose();
    }
  },
});

/** @throws BertqaError if the model has no trained question answering head */
async function readModel(model: ModelArtifact): Promise<BertCheckpoint> {
  const initialised: string[] = [];
  const onReport = (report: CheckpointReport) => initialised.push(...report.initialised);
  const modelFolder = await model.modelFolder();
  const checkpoint = await readCheckpoint(modelFolder, { seed: 0, stage, onReport });
  if (initialised.length > 0) {
    const problem = `the model lacks trained weights: ${initialised.join(", ")}`;
    throw new BertqaError(stage, problem, { remedy: "Run the train stage again", where: modelFolder });
  }
  return checkpoint;
}

/** In SQuAD 1.1 each question has an answer: a model trained on it never learned to say that there is none. */
async function mayHaveNoAnswer(options: PredictOptions, { dataset, windows }: Inputs): Promise<boolean> {
  if (options.noAnswer !== "auto") return options.noAnswer === "allowed";
  // Those made for training are in no dataset.
  if ((windows.artifact.manifest.counts["train.unanswerable"] ?? 0) > 0) return true;
  for (const split of ["train", "extra"] as const) {
    if (!dataset.has(split)) continue;
    if ((await dataset.questions(split)).some((question) => question.answers.length === 0)) return true;
  }
  return false;
}

/** Plans every split before the first is predicted, so that what does not fit together is said at once. */
async function planSplits(inputs: Inputs, model: BertConfig, options: PredictOptions, reporter: Reporter) {
  const plans = new Map<PredictionSplit, SplitPlan>();
  for (const split of predictionSplits) {
    if (split !== "dev" && inputs.windows.shardCount(split) === 0) continue;
    const survey = await surveyShards(shardsOf(inputs.windows, split));
    // tokenize takes `tune` from the dataset's train questions.
    const questions = await inputs.dataset.questions(split === "tune" ? "train" : split);
    plans.set(split, planSplit(stage, split, survey, questions, model, options));
    requireReadableCandidates(stage, split, survey.questionIds.size, options.nBest);
    const { tooLong, longest } = longAnswers(survey, options.maxAnswerTokens);
    if (tooLong > 0) {
      const answers = `${tooLong} of ${countOf(survey.answerTokens.size, `${split} answer`)}`;
      const problem = `${answers} longer than maxAnswerTokens ${options.maxAnswerTokens}, never to be given`;
      reporter.line(`warning: ${problem}: set it to ${longest} in predict.json`);
    }
  }
  return plans;
}

async function* shardsOf(windows: WindowsArtifact, split: WindowSplit): AsyncGenerator<WindowShard> {
  for (let shard = 0; shard < windows.shardCount(split); shard++) yield await windows.readShard(split, shard);
}

interface SplitRun {
  readonly draft: ArtifactDraft;
  readonly split: PredictionSplit;
  readonly plan: SplitPlan;
  readonly predictor: Predictor;
  readonly reporter: Reporter;
  readonly batchRules: BatchRules;
}

async function predictLogits(run: SplitRun, shards: AsyncIterable<WindowShard>): Promise<PredictionRow> {
  const { draft, split, plan, reporter } = run;
  const startedMs = performance.now();
  const progress = reporter.progress(plan.windowCount, "windows");
  let done: Tally = { windows: 0, tokens: 0, paddedTokens: 0 };
  const onBatch = (tally: Tally) => progress.update((done = tally).windows);
  const context = { stage, predictor: run.predictor, searches: plan.searches, onBatch };
  try {
    let shardCount = 0;
    for await (const logits of predictShards({ ...context, ...run, logitShardWindows }, shards)) {
      await writeLogitShard(draft, split, shardCount++, logits);
    }
  } finally {
    progress.stop();
  }
  const row = rowOf(split, done, performance.now() - startedMs);
  const rates = `${row.windowsPerSecond.toFixed(1)} windows/s, ${row.tokensPerSecond.toFixed(0)} tokens/s`;
  const padding = `${(100 * row.paddingShare).toFixed(1)} % padding`;
  reporter.line(
    `${split}: ${countOf(done.windows, "window")} in ${formatDuration(row.elapsedMs)} · ${rates} · ${padding}`,
  );
  return row;
}

/** Writes the four files of answers. @returns the split's counts, for the manifest */
async function writeAnswers({ draft, split, plan, reporter }: SplitRun, rules: AnswerRules) {
  const write = async (name: string, valueOf: (answer: AnsweredQuestion) => unknown) => {
    const lines = jsonObjectLines(answersOf(plan, rules), (answer) => [answer.id, valueOf(answer)]);
    await pipeline(Readable.from(lines), createWriteStream(await draft.path(name)));
  };
  await write(predictionsLayout.predictions(split), (answer) => answer.prediction);
  await write(predictionsLayout.bestSpans(split), (answer) => answer.bestSpan);
  await write(predictionsLayout.nullOdds(split), (answer) => answer.nullOdds);
  await write(predictionsLayout.nbest(split), (answer) => answer.candidates satisfies Candidate[]);
  const counts = countAnswers(answersOf(plan, rules));
  const answered = `${counts.answered.toLocaleString("en-US")} answered, ${counts.noAnswer.toLocaleString("en-US")} with no answer`;
  reporter.line(`${split}: ${countOf(counts.questions, "question")} · ${answered}`);
  if (counts.withoutSpan > 0) {
    reporter.line(
      `warning: ${countOf(counts.withoutSpan, "question")} without a span to choose, predicted as no answer`,
    );
  }
  const all = { ...counts, windows: plan.windowCount };
  return Object.fromEntries(Object.entries(all).map(([name, count]) => [`${split}.${name}`, count]));
}
