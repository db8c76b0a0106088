import {
  BertqaError,
  countOf,
  formatDuration,
  modelLayout,
  openDataset,
  openWindows,
  stageArtifactFolder,
  writeArtifact,
  type Artifact,
  type ArtifactDraft,
  type Reporter,
  type StageFolders,
  type WindowsArtifact,
} from "@bertqa/core";
import { describeDevice, loadEngine, type Engine } from "@bertqa/engine";
import { createTrainer, readCheckpoint, writeCheckpoint, type BertCheckpoint, type Trainer } from "@bertqa/model";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoints, type CheckpointFolder } from "./checkpoints.ts";
import { checkDiskSpace, refuseDivergence, watchForStop } from "./guards.ts";
import { scheduleOf, trainSteps } from "./loop.ts";
import type { TrainOptions } from "./options.ts";
import { openTrainingLog } from "./training-log.ts";
import { readTrainingWindows, type TrainingWindows } from "./training-windows.ts";

/** Options with every default filled in, as the manifest keeps them. */
type ResolvedOptions = Omit<TrainOptions, "precision"> & {
  readonly precision: "bfloat16" | "float32";
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
};

/**
 * Fine-tunes the encoder on the training windows. A run that was interrupted goes on from its last checkpoint.
 *
 * @throws BertqaError if an input artifact is missing or damaged, the encoder does not fit, the disk is too small for the checkpoints,
 *   the loss stops being a number, or the user presses Ctrl-C
 */
export async function runTrain(options: TrainOptions, folders: StageFolders, reporter: Reporter): Promise<Artifact> {
  const dataset = await openDataset("train", stageArtifactFolder(folders, "fetch"));
  const windowsArtifact = await openWindows("train", stageArtifactFolder(folders, "tokenize"));
  const windows = await readTrainingWindows(windowsArtifact);
  const engine = await loadEngine();
  const encoder = await readEncoder(dataset.encoderFolder, options, reporter);
  const resolved = await resolveOptions(options, encoder);
  const inputs = {
    dataset: dataset.artifact.manifest.contentSha256,
    windows: windowsArtifact.artifact.manifest.contentSha256,
  };
  // Nx names the hash of all that the run depends on, code included; without Nx, options and inputs must do.
  const identity = { resolved, inputs, code: process.env["NX_TASK_HASH"] ?? null };
  const checkpoints = await openCheckpoints(stageArtifactFolder(folders, "train.progress"), identity);
  const trainer = createTrainer(engine, encoder, resolved);
  try {
    const result = await trainToEnd({ engine, trainer, windows, resolved, checkpoints, encoder, reporter });
    const artifact = await writeArtifact("train", stageArtifactFolder(folders, "train"), async (draft) => {
      await writeModel(draft, trainer, windowsArtifact, checkpoints);
      return {
        kind: "model",
        options: resolved,
        counts: { ...result, windows: windows.lengths.length },
        versions: { tensorflow: engine.binding.TF_Version, tfjs: engine.tf.version["tfjs-core"] },
        inputs,
      };
    });
    await checkpoints.remove();
    return artifact;
  } finally {
    trainer.dispose();
  }
}

interface Run {
  readonly engine: Engine;
  readonly trainer: Trainer;
  readonly windows: TrainingWindows;
  readonly resolved: ResolvedOptions;
  readonly checkpoints: CheckpointFolder;
  readonly encoder: BertCheckpoint;
  readonly reporter: Reporter;
}

async function trainToEnd(run: Run): Promise<{ steps: number; finalLoss: number }> {
  const { engine, trainer, windows, resolved, checkpoints, reporter } = run;
  const { totalSteps } = scheduleOf(resolved, windows.lengths.length);
  await checkDiskSpace(checkpoints.folder, run.encoder);
  const firstStep = await resume(run, totalSteps);
  const log = await openTrainingLog(engine, logPaths(checkpoints), firstStep);
  const stop = watchForStop();
  const startedMs = performance.now();
  const progress = reporter.progress(totalSteps, "steps", firstStep);
  try {
    const { steps, lastLoss } = await trainSteps(
      {
        options: resolved,
        trainer,
        lengths: windows.lengths,
        collate: windows.collate,
        progress,
        writeRow: (row) => {
          log.write(row);
          refuseDivergence(row.loss, row.step);
        },
        saveCheckpoint: (step) => checkpoints.save(step, trainer.exportState()),
        isStopping: stop.isAsked,
        nowMs: () => performance.now(),
      },
      firstStep,
    );
    log.flush();
    if (steps < totalSteps) await saveAndStop(run, steps, totalSteps);
    progress.stop();
    const trained = `${countOf(steps - firstStep, "step")} in ${formatDuration(performance.now() - startedMs)}`;
    reporter.line(`${trained} · final loss ${lastLoss?.toFixed(3)}`);
    return { steps, finalLoss: lastLoss as number };
  } finally {
    progress.stop();
    stop.dispose();
  }
}

async function readEncoder(folder: string, options: TrainOptions, reporter: Reporter): Promise<BertCheckpoint> {
  return readCheckpoint(folder, {
    seed: options.seed,
    stage: "train",
    onReport: ({ ignored, initialised }) => {
      if (initialised.length > 0) reporter.line(`initialised from seed ${options.seed}: ${initialised.join(", ")}`);
      if (ignored.length > 0) reporter.line(`not used: ${countOf(ignored.length, "tensor")} (${ignored.join(", ")})`);
    },
  });
}

async function resolveOptions(options: TrainOptions, encoder: BertCheckpoint): Promise<ResolvedOptions> {
  return {
    ...options,
    precision: options.precision === "auto" ? (await describeDevice()).recommendedPrecision : options.precision,
    hiddenDropout: options.hiddenDropout ?? encoder.config.hiddenDropout,
    attentionDropout: options.attentionDropout ?? encoder.config.attentionDropout,
  };
}

/** Takes up the last checkpoint, if this run left one. @returns the number of steps already done */
async function resume(run: Run, totalSteps: number): Promise<number> {
  const { trainer, windows, resolved, checkpoints, reporter } = run;
  const size = `${countOf(windows.lengths.length, "window")}, ${countOf(totalSteps, "step")} of ${resolved.batchWindows}`;
  reporter.line(
    `${size} windows, ${resolved.precision}, ${run.engine.device} with ${countOf(run.engine.threads, "thread")}`,
  );
  const checkpoint = await checkpoints.load();
  if (!checkpoint) return 0;
  trainer.importState(checkpoint.state);
  reporter.line(`goes on from the checkpoint after step ${checkpoint.step}`);
  return checkpoint.step;
}

async function saveAndStop(run: Run, steps: number, totalSteps: number): Promise<never> {
  await run.checkpoints.save(steps, run.trainer.exportState());
  throw new BertqaError("train", `stopped on request after step ${steps} of ${totalSteps}; its state is saved`, {
    remedy: "Run the same command again to go on from there",
  });
}

function logPaths(checkpoints: CheckpointFolder) {
  return {
    rows: join(checkpoints.folder, modelLayout.log),
    tensorBoard: join(checkpoints.folder, modelLayout.tensorBoardFolder),
  };
}

async function writeModel(
  draft: ArtifactDraft,
  trainer: Trainer,
  windows: WindowsArtifact,
  checkpoints: CheckpointFolder,
): Promise<void> {
  const tokenizerFolder = windows.artifact.path("tokenizer");
  await cp(tokenizerFolder, await draft.path(modelLayout.modelFolder), { recursive: true });
  await writeCheckpoint(join(draft.folder, modelLayout.modelFolder), trainer.exportCheckpoint());
  const paths = logPaths(checkpoints);
  await cp(paths.rows, await draft.path(modelLayout.log, { log: true }));
  await cp(paths.tensorBoard, await draft.path(modelLayout.tensorBoardFolder, { log: true }), { recursive: true });
}
