import { BertqaError, readSafetensors, sha256Of, writeSafetensors, type HostTensor } from "@bertqa/core";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Checkpoints of a run in progress, in `<artifacts>/train.progress/step-<n>/`: beside the cached artifact and never in it, since they
 * are three times the model's size. Each is written whole and renamed; the newest two are kept.
 */
export interface CheckpointFolder {
  readonly folder: string;
  /** Writes the state after `step` optimizer steps. */
  save(step: number, state: ReadonlyMap<string, HostTensor>): Promise<void>;
  /** The newest checkpoint of this very run, or `undefined`. Those of another run (other options or inputs) are removed. */
  load(): Promise<{ readonly step: number; readonly state: Map<string, HostTensor> } | undefined>;
  /** Removes the folder. */
  remove(): Promise<void>;
}

const stateName = "state.safetensors";
const fingerprintName = "run.sha256";
const keptCheckpoints = 2;

/**
 * Opens the folder for a run.
 *
 * @param identity everything that decides the weights: a checkpoint of a run with another identity is never resumed
 */
export async function openCheckpoints(folder: string, identity: unknown): Promise<CheckpointFolder> {
  const fingerprint = sha256Of(JSON.stringify(identity));
  await mkdir(folder, { recursive: true });
  if ((await readFile(join(folder, fingerprintName), "utf8").catch(() => "")) !== fingerprint) {
    await rm(folder, { recursive: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, fingerprintName), fingerprint, { flush: true });
  }
  return {
    folder,
    save: async (step, state) => {
      const final = join(folder, checkpointName(step));
      const partial = `${final}.partial`;
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial);
      await writeSafetensors(join(partial, stateName), state, { step: String(step) });
      await rm(final, { recursive: true, force: true });
      await rename(partial, final);
      for (const old of (await checkpointSteps(folder)).slice(0, -keptCheckpoints)) {
        await rm(join(folder, checkpointName(old)), { recursive: true });
      }
    },
    load: async () => {
      const step = (await checkpointSteps(folder)).at(-1);
      if (step === undefined) return undefined;
      const path = join(folder, checkpointName(step), stateName);
      try {
        return { step, state: await readSafetensors(path, "train") };
      } catch (cause) {
        const remedy = `Delete ${join(folder, checkpointName(step))} to go on from the checkpoint before it`;
        throw new BertqaError("train", `the checkpoint ${path} cannot be read`, { remedy, cause });
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
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
