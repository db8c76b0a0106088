import { BertqaError, describeNonFinite, type HostTensor, type Progress } from "@bertqa/core";
import { countBatchTokens, type LabelledBatch, type Trainer } from "@bertqa/model";
import { setImmediate } from "node:timers/promises";
import type { TrainOptions } from "./options.ts";
import { planEpoch } from "./plan.ts";
import { learningRateAt, type Schedule } from "./schedule.ts";
import { meanOf, type LiveRow } from "./training-log.ts";

/** What the loop needs of the world; all of it is given, so that a test can watch it. */
export interface LoopContext {
  readonly options: TrainOptions;
  readonly trainer: Trainer;
  /** Tokens of each training window. */
  readonly lengths: Int32Array;
  readonly collate: (windows: readonly number[]) => LabelledBatch;
  readonly progress: Progress;
  readonly writeRow: (row: LiveRow) => void;
  /** Loss of each step done so far; the loop starts after the last and appends. */
  readonly losses: number[];
  readonly saveCheckpoint: () => Promise<void>;
  /** Where the newest checkpoint lies, for a message. */
  readonly newestCheckpoint: () => Promise<string | undefined>;
  /** True once the user has asked to stop. */
  readonly isStopping: () => boolean;
  readonly nowMs: () => number;
}

/** Counts since the last row of the log. */
interface Tally {
  windows: number;
  realTokens: number;
  paddedTokens: number;
  sinceMs: number;
}

/** Optimizer steps of a whole run, and its schedule. */
export function scheduleOf(options: TrainOptions, windowCount: number): Schedule {
  const stepsPerEpoch = Math.ceil(windowCount / options.batchWindows);
  const allSteps = stepsPerEpoch * options.epochs;
  const totalSteps = Math.min(allSteps, options.maxSteps ?? allSteps);
  // Rounded down; transformers' Trainer rounds its warmup_ratio up, to a step more at most.
  const warmupSteps = Math.floor(options.warmupShare * totalSteps);
  return { peakLearningRate: options.learningRate, warmupSteps, totalSteps };
}

/**
 * Trains to the end of the schedule, or until the user asks to stop. Everything random in a step depends on the seed and the
 * step's number alone, so the weights of a resumed run equal those of an uninterrupted one.
 *
 * @throws BertqaError for a loss that is not a number: nothing that follows would be one
 */
export async function trainSteps(context: LoopContext): Promise<void> {
  const { options, trainer, lengths, losses } = context;
  const schedule = scheduleOf(options, lengths.length);
  const { totalSteps } = schedule;
  const startedMs = context.nowMs();
  let tally = emptyTally(startedMs);
  for (const batch of batchesFrom(context, losses.length, totalSteps)) {
    const learningRate = learningRateAt(schedule, losses.length);
    accumulateBatch(context, batch, losses.length);
    trainer.applyGradients(learningRate);
    const meanLoss = trainer.takeMeanLoss();
    if (!Number.isFinite(meanLoss)) throw await divergedError(context, `the loss is ${meanLoss}`, batch);
    losses.push(meanLoss);
    const step = losses.length;
    addToTally(tally, batch, lengths);
    if (step % options.logEverySteps === 0 || step === totalSteps) {
      const loss = meanOf(losses.slice(Math.floor((step - 1) / options.logEverySteps) * options.logEverySteps));
      const now = context.nowMs();
      context.writeRow(rowOf(tally, { step, totalSteps, loss, learningRate }, now, startedMs));
      context.progress.update(step, noteOf(loss, learningRate, tally, now));
      tally = emptyTally(now);
    }
    if (step % options.checkpointEverySteps === 0 && step < totalSteps) await context.saveCheckpoint();
    // TensorFlow's ops block this thread: let signals and the terminal have their turn.
    await setImmediate();
    if (context.isStopping()) break;
  }
}

/** Names the step, the windows of its batch, and from where a run with other options can go on. */
async function divergedError(
  { losses, newestCheckpoint }: LoopContext,
  problem: string,
  batch: readonly number[],
): Promise<BertqaError> {
  const shown = `${batch.slice(0, 8).join(", ")}${batch.length > 8 ? " …" : ""}`;
  const at = `at step ${losses.length + 1} (batch: windows ${shown})`;
  return new BertqaError("train", `${problem} ${at}; ${lastGood(await newestCheckpoint())}`, { remedy: tamer });
}

const tamer = "Lower learningRate, or raise warmupShare";

function lastGood(checkpoint: string | undefined): string {
  return checkpoint === undefined ? "no checkpoint was saved yet" : `the last good checkpoint is ${checkpoint}`;
}

/**
 * Weights that are no numbers show in the loss one step later: what would be saved or written first is looked at.
 *
 * @throws BertqaError naming the step, a tensor and the checkpoint before
 */
export function refuseNonFinite(
  tensors: ReadonlyMap<string, HostTensor>,
  step: number,
  checkpoint: string | undefined,
): void {
  const found = describeNonFinite(tensors);
  if (found === undefined) return;
  const problem = `the weights are not finite numbers after step ${step}: ${found}; ${lastGood(checkpoint)}`;
  throw new BertqaError("train", problem, { remedy: tamer });
}

function* batchesFrom(context: LoopContext, firstStep: number, totalSteps: number): Generator<readonly number[]> {
  const { options, lengths } = context;
  const stepsPerEpoch = Math.ceil(lengths.length / options.batchWindows);
  let step = firstStep;
  while (step < totalSteps) {
    const epoch = Math.floor(step / stepsPerEpoch);
    const batches = planEpoch(lengths, options, epoch).slice(step - epoch * stepsPerEpoch);
    for (const batch of batches.slice(0, totalSteps - step)) {
      yield batch;
      step++;
    }
  }
}

function accumulateBatch(context: LoopContext, batch: readonly number[], step: number): void {
  const { rDropWeight, microBatchWindows: size = batch.length } = context.options;
  for (let start = 0, microStep = 0; start < batch.length; start += size, microStep++) {
    const part = batch.slice(start, start + size);
    const rows = rDropWeight > 0 ? part.flatMap((window) => [window, window]) : part;
    context.trainer.accumulate(context.collate(rows), { step, microStep, weight: part.length / batch.length });
  }
}

function emptyTally(sinceMs: number): Tally {
  return { windows: 0, realTokens: 0, paddedTokens: 0, sinceMs };
}

function addToTally(tally: Tally, batch: readonly number[], lengths: Int32Array): void {
  const { tokens, paddedTokens } = countBatchTokens(lengths, [batch]);
  tally.windows += batch.length;
  tally.realTokens += tokens;
  tally.paddedTokens += paddedTokens;
}

function rowOf(
  tally: Tally,
  state: Pick<LiveRow, "step" | "totalSteps" | "loss" | "learningRate">,
  nowMs: number,
  startedMs: number,
): LiveRow {
  const seconds = Math.max((nowMs - tally.sinceMs) / 1000, 1e-9);
  return {
    ...state,
    windowsPerSecond: tally.windows / seconds,
    tokensPerSecond: tally.realTokens / seconds,
    paddedTokensPerSecond: tally.paddedTokens / seconds,
    elapsedMs: Math.round(nowMs - startedMs),
  };
}

function noteOf(loss: number, learningRate: number, tally: Tally, nowMs: number): string {
  const seconds = Math.max((nowMs - tally.sinceMs) / 1000, 1e-9);
  const padding = 100 * (1 - tally.realTokens / tally.paddedTokens);
  return [
    `loss ${loss.toFixed(3)}`,
    `rate ${learningRate.toExponential(1)}`,
    `${(tally.windows / seconds).toFixed(1)} windows/s`,
    `${(tally.realTokens / seconds).toFixed(0)} tokens/s, ${padding.toFixed(0)} % padding`,
  ].join(" · ");
}
