import { modelLayout, type TrainingRow } from "@bertqa/core";
import type { Engine } from "@bertqa/engine";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { learningRateAt, type Schedule } from "./schedule.ts";

/** A row as people watch it: with the rates of this machine, which are no part of the artifact. */
export interface LiveRow extends TrainingRow {
  readonly windowsPerSecond: number;
  /** Real tokens a second, and with padding counted. */
  readonly tokensPerSecond: number;
  readonly paddedTokensPerSecond: number;
  /** Since training started or resumed. */
  readonly elapsedMs: number;
}

/**
 * The rows of `log.jsonl` from the loss of every step, so that they do not depend on where a run was interrupted.
 *
 * @param losses of the steps done so far; each row averages those since the row before it
 */
export function trainingRows(losses: readonly number[], schedule: Schedule, logEverySteps: number): TrainingRow[] {
  const { totalSteps } = schedule;
  const rows: TrainingRow[] = [];
  for (let first = 0; first < losses.length; first += logEverySteps) {
    const step = Math.min(first + logEverySteps, totalSteps);
    if (step > losses.length) break;
    rows.push({
      step,
      totalSteps,
      loss: meanOf(losses.slice(first, step)),
      learningRate: learningRateAt(schedule, step - 1),
    });
  }
  return rows;
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Where a run's rows go while it trains: `log.jsonl` and TensorBoard event files in a folder beside the artifact. */
export interface LiveLog {
  write(row: LiveRow): void;
  /** Loss of the last row written, `undefined` where this run wrote none. */
  lastLoss(): number | undefined;
  flush(): void;
}

/** Opens the log in an empty folder. @param before rows of the steps that a checkpoint holds */
export function openLiveLog(engine: Engine, folder: string, before: readonly TrainingRow[]): LiveLog {
  const path = join(folder, modelLayout.log);
  const events = engine.tf.node.summaryFileWriter(join(folder, "tensorboard"));
  const draw = (row: TrainingRow) => {
    events.scalar("train/loss", row.loss, row.step);
    events.scalar("train/learning_rate", row.learningRate, row.step);
  };
  writeFileSync(path, before.map(toLine).join(""));
  before.forEach(draw);
  let lastLoss: number | undefined;
  return {
    write: (row) => {
      appendFileSync(path, toLine(row));
      draw(row);
      events.scalar("train/windows_per_second", row.windowsPerSecond, row.step);
      lastLoss = row.loss;
    },
    lastLoss: () => lastLoss,
    flush: () => events.flush(),
  };
}

function toLine(row: TrainingRow): string {
  return `${JSON.stringify(row)}\n`;
}
