import {
  BertqaError,
  flushFolder,
  readSafetensors,
  sha256OfFile,
  writeSafetensors,
  type HostTensor,
} from "@bertqa/core";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What training needs to continue: the trainer's state after the last step, and the loss of every step. */
interface TrainingCheckpoint {
  readonly losses: number[];
  readonly state: ReadonlyMap<string, HostTensor>;
}

/**
 * Checkpoints of a run in progress, in `<artifacts>/train.progress/step-<n>/`: beside the cached artifact and never in it, since they
 * are three times the model's size. Each is written whole, with its sha256 beside it, and renamed; the newest two are kept.
 */
export interface CheckpointFolder {
  readonly folder: string;
  save(checkpoint: TrainingCheckpoint): Promise<void>;
  /** The newest checkpoint, or `undefined`. */
  load(): Promise<TrainingCheckpoint | undefined>;
  /** The folder of the newest checkpoint, or `undefined`. */
  newest(): Promise<string | undefined>;
}

const stateName = "state.safetensors";
/** As `sha256sum` writes and checks it. */
const hashName = `${stateName}.sha256`;
const lossesName = "training.losses";
const keptCheckpoints = 2;

/** Opens the folder of a run; the runner has seen to it that its checkpoints are this run's. */
export function openCheckpoints(folder: string): CheckpointFolder {
  return {
    folder,
    save: async ({ losses, state }) => {
      const final = join(folder, checkpointName(losses.length));
      const partial = `${final}.partial`;
      try {
        await rm(partial, { recursive: true, force: true });
        await mkdir(partial);
        const tensors = new Map(state).set(lossesName, { shape: [losses.length], data: Float32Array.from(losses) });
        await writeSafetensors(join(partial, stateName), tensors);
        const sha256 = await sha256OfFile(join(partial, stateName));
        await writeFile(join(partial, hashName), `${sha256}  ${stateName}\n`, { flush: true });
        await flushFolder(partial);
        await rm(final, { recursive: true, force: true });
        await rename(partial, final);
        await flushFolder(folder);
      } finally {
        await rm(partial, { recursive: true, force: true });
      }
      for (const old of (await checkpointSteps(folder)).slice(0, -keptCheckpoints)) {
        await rm(join(folder, checkpointName(old)), { recursive: true });
      }
    },
    load: async () => {
      await removeUnfinished(folder);
      const step = (await checkpointSteps(folder)).at(-1);
      if (step === undefined) return undefined;
      const path = join(folder, checkpointName(step), stateName);
      const remedy = `Delete ${join(folder, checkpointName(step))} to continue from the checkpoint before it`;
      try {
        const expected = (await readFile(join(folder, checkpointName(step), hashName), "utf8")).trimEnd();
        const found = `${await sha256OfFile(path)}  ${stateName}`;
        if (found !== expected) throw new Error(`its sha256 is not that of ${hashName}`);
        const state = await readSafetensors(path, "train");
        const losses = state.get(lossesName)?.data;
        if (losses?.length !== step) throw new Error(`it holds the losses of ${losses?.length ?? 0} steps`);
        state.delete(lossesName);
        return { losses: [...losses], state };
      } catch (cause) {
        const why = (cause as Error).message;
        throw new BertqaError("train", `the checkpoint ${path} cannot be read: ${why}`, { remedy, cause });
      }
    },
    newest: async () => {
      const step = (await checkpointSteps(folder)).at(-1);
      return step === undefined ? undefined : join(folder, checkpointName(step));
    },
  };
}

/** What a killed run was writing; its next one may save at other steps. */
async function removeUnfinished(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^step-\d{8}\.partial$/.test(name));
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
}

function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, "0")}`;
}

/** Steps of the finished checkpoints in a folder, oldest first. */
async function checkpointSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .map((name) => /^step-(\d{8})$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}
