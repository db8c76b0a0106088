import { trainingRowSchema, type TrainingRow } from "@bertqa/core";
import type { Engine } from "@bertqa/engine";
import { appendFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** Where a run's rows go: `log.jsonl` and TensorBoard event files, both readable while training goes on. */
export interface TrainingLog {
  write(row: TrainingRow): void;
  flush(): void;
}

/**
 * Opens the log of a run.
 *
 * @param resumedSteps steps that a checkpoint already holds: later rows of the interrupted run are dropped, as their steps are made again
 */
export async function openTrainingLog(
  engine: Engine,
  paths: { readonly rows: string; readonly tensorBoard: string },
  resumedSteps: number,
): Promise<TrainingLog> {
  const kept = (await readRows(paths.rows)).filter((row) => row.step <= resumedSteps);
  writeFileSync(paths.rows, kept.map(toLine).join(""));
  const events = engine.tf.node.summaryFileWriter(paths.tensorBoard);
  return {
    write: (row) => {
      appendFileSync(paths.rows, toLine(row));
      events.scalar("train/loss", row.loss, row.step);
      events.scalar("train/learning_rate", row.learningRate, row.step);
      events.scalar("train/windows_per_second", row.windowsPerSecond, row.step);
    },
    flush: () => events.flush(),
  };
}

function toLine(row: TrainingRow): string {
  return `${JSON.stringify(row)}\n`;
}

/** The whole rows of a log; a last line that a kill cut short is left out. */
async function readRows(path: string): Promise<TrainingRow[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const wholeLines = text.split("\n").slice(0, -1);
  return wholeLines.map((line) => trainingRowSchema.parse(JSON.parse(line)));
}
