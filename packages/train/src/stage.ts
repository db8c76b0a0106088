import {
  BertqaError,
  countOf,
  defineStage,
  formatDuration,
  modelLayout,
  tokenizerFiles,
  type ArtifactDraft,
  type DatasetArtifact,
  type Reporter,
  type StageContext,
  type WindowsArtifact,
} from "@bertqa/core";
import { describeDevice, engineIdentity, loadEngine, type Engine } from "@bertqa/engine";
import { createTrainer, readCheckpoint, writeCheckpoint, type BertCheckpoint, type Trainer } from "@bertqa/model";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoints, type CheckpointFolder } from "./checkpoints.ts";
import { checkDiskSpace, watchForStop } from "./guards.ts";
import { refuseNonFinite, scheduleOf, trainSteps } from "./loop.ts";
import { trainOptionsSchema, type TrainOptions } from "./options.ts";
import { openLiveLog, trainingRows } from "./training-log.ts";
import { readTrainingWindows, type TrainingWindows } from "./training-windows.ts";

/** Options with every default filled in. */
type ResolvedOptions = Omit<TrainOptions, "precision"> & {
  readonly precision: "bfloat16" | "float32";
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
};

const reads = {
  dataset: { kind: "dataset", from: "fetch" },
  windows: { kind: "windows", from: "tokenize" },
} as const;
type TrainContext = StageContext<TrainOptions, typeof reads>;

/**
 * Fine-tunes the encoder on the training windows. A run that was interrupted continues from its last checkpoint.
 *
 * Throws a BertqaError if the encoder does not fit, the disk is too small for the checkpoints, the loss stops being a number,
 * or the user presses Ctrl-C.
 */
export const trainStage = defineStage({
  name: "train",
  summary: "Fine-tunes the encoder on the training windows",
  options: trainOptionsSchema,
  incidentalOptions: ["checkpointEverySteps"],
  reads,
  writes: "model",
  keepsWork: true,
  run: async (context) => {
    const { options, inputs, draft, reporter } = context;
    const encoder = await readEncoder(inputs.dataset, options, reporter);
    const windows = await readTrainingWindows(inputs.windows, encoder.config.paddingId);
    const engine = await loadEngine();
    const resolved = await resolveOptions(options, encoder);
    const work = await openOwnWork(context, resolved, engine);
    const checkpoints = openCheckpoints(work.folder);
    const trainer = createTrainer(engine, encoder, { ...resolved, answerability: answerabilityOf(options) });
    try {
      const run = { engine, trainer, windows, resolved, checkpoints, encoder, reporter };
      const losses = await trainToEnd(run, await context.logFolder());
      const model = trainer.exportCheckpoint();
      refuseNonFinite(model.tensors, losses.length, await checkpoints.newest());
      await writeModel(draft, model, inputs.windows);
      const rows = trainingRows(losses, scheduleOf(resolved, windows.lengths.length), resolved.logEverySteps);
      await writeFile(await draft.path(modelLayout.log), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      const { precision, hiddenDropout, attentionDropout } = resolved;
      return {
        counts: { steps: losses.length, windows: windows.lengths.length },
        versions: { tensorflow: engine.binding.TF_Version, tfjs: engine.tf.version["tfjs-core"] },
        resolved: {
          ...{ precision, hiddenDropout, attentionDropout },
          ...(work.resumedFrom === undefined ? {} : { resumedFrom: work.resumedFrom }),
        },
      };
    } finally {
      trainer.dispose();
    }
  },
});

/** Checkpoints are this run's where everything that decides the weights is the same; how often things are written does not. */
function openOwnWork(context: TrainContext, resolved: ResolvedOptions, engine: Engine) {
  const { logEverySteps: _log, checkpointEverySteps: _checkpoint, ...options } = resolved;
  const { dataset, windows } = context.inputs;
  return context.work({
    decides: {
      options,
      dataset: dataset.artifact.manifest.contentSha256,
      windows: windows.artifact.manifest.contentSha256,
      engine: engineIdentity(engine),
    },
    code: ["core", "engine", "model", "squad", "train"].map((name) => import.meta.resolve(`@bertqa/${name}`)),
  });
}

function answerabilityOf({ objective, answerabilityWeight, plausibleWeight }: TrainOptions) {
  return objective === "positions" ? undefined : { weight: answerabilityWeight, plausibleWeight };
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

/** @returns the loss of each step from the run's beginning */
async function trainToEnd(run: Run, logFolder: string): Promise<number[]> {
  const { engine, trainer, windows, resolved, checkpoints, reporter } = run;
  const schedule = scheduleOf(resolved, windows.lengths.length);
  const { totalSteps } = schedule;
  const losses = await resume(run, totalSteps);
  await checkDiskSpace(checkpoints.folder, run.encoder);
  const firstStep = losses.length;
  const log = openLiveLog(engine, logFolder, trainingRows(losses, schedule, resolved.logEverySteps));
  const stop = watchForStop();
  const startedMs = performance.now();
  const progress = reporter.progress(totalSteps, "steps", firstStep);
  const save = async () => {
    const state = trainer.exportState();
    refuseNonFinite(state, losses.length, await checkpoints.newest());
    await checkpoints.save({ losses, state });
  };
  try {
    await trainSteps({
      options: resolved,
      trainer,
      lengths: windows.lengths,
      collate: windows.collate,
      progress,
      writeRow: (row) => log.write(row),
      losses,
      saveCheckpoint: save,
      newestCheckpoint: () => checkpoints.newest(),
      isStopping: stop.isAsked,
      nowMs: () => performance.now(),
    });
    log.flush();
    if (losses.length < totalSteps) {
      await save();
      const problem = `stopped on request after step ${losses.length} of ${totalSteps}; its state is saved`;
      throw new BertqaError("train", problem, { remedy: "Run the same command again to continue from there" });
    }
    progress.stop();
    const trained = `${countOf(losses.length - firstStep, "step")} in ${formatDuration(performance.now() - startedMs)}`;
    reporter.line(`${trained} · loss ${log.lastLoss()?.toFixed(3) ?? "unchanged"}`);
    return losses;
  } finally {
    progress.stop();
    stop.dispose();
  }
}

async function readEncoder(
  dataset: DatasetArtifact,
  options: TrainOptions,
  reporter: Reporter,
): Promise<BertCheckpoint> {
  return readCheckpoint(await dataset.encoderFolder(), {
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

/**
 * Takes up the last checkpoint, if this run left one.
 *
 * @returns the losses of the steps already done
 * @throws BertqaError if it was resumed on purpose and is of another model, or further on than this run goes
 */
async function resume(run: Run, totalSteps: number): Promise<number[]> {
  const { trainer, windows, resolved, checkpoints, reporter } = run;
  const size = `${countOf(windows.lengths.length, "window")}, ${countOf(totalSteps, "step")} of ${resolved.batchWindows}`;
  const device = `${run.engine.device} with ${countOf(run.engine.threads, "thread")}`;
  reporter.line(`${size} windows, ${resolved.precision}, ${device}`);
  const checkpoint = await checkpoints.load();
  if (!checkpoint) return [];
  const stepsDone = checkpoint.losses.length;
  if (stepsDone > totalSteps) {
    const problem = `the work in progress is ${countOf(stepsDone, "step")} on, and this run ends after ${totalSteps}`;
    throw new BertqaError("train", problem, { remedy: `Set more epochs or maxSteps, or delete ${checkpoints.folder}` });
  }
  try {
    trainer.importState(checkpoint.state);
  } catch (cause) {
    throw new BertqaError("train", "the work in progress is of another model", {
      remedy: `Delete ${checkpoints.folder} to start anew`,
      cause,
    });
  }
  reporter.line(`continues from the checkpoint after step ${stepsDone}`);
  return checkpoint.losses;
}

async function writeModel(draft: ArtifactDraft, model: BertCheckpoint, windows: WindowsArtifact): Promise<void> {
  const folder = await draft.path(modelLayout.modelFolder);
  await mkdir(folder);
  for (const name of tokenizerFiles) {
    const source = `tokenizer/${name}`;
    if (windows.artifact.has(source)) await copyFile(await windows.artifact.file(source), join(folder, name));
  }
  await writeCheckpoint(folder, model);
}
