import { BertqaError } from "@bertqa/core";
import type { BertCheckpoint } from "@bertqa/model";
import { statfs } from "node:fs/promises";

/** The checkpoints hold the weights and both moments, twice; the artifact holds the weights once more. */
export async function checkDiskSpace(folder: string, encoder: BertCheckpoint): Promise<void> {
  const weightBytes = [...encoder.tensors.values()].reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  const neededBytes = weightBytes * (3 * 3 + 1);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= neededBytes) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  const free = `${gigabytes(bavail * bsize)} GB free`;
  throw new BertqaError("train", `${free}, but checkpoints and model need ${gigabytes(neededBytes)} GB`, {
    remedy: "Free some disk space and run again",
    where: folder,
  });
}

/** @throws BertqaError for a loss that is no number: nothing that follows would be one */
export function refuseDivergence(loss: number, step: number): void {
  if (Number.isFinite(loss)) return;
  throw new BertqaError("train", `the loss is ${loss} at step ${step}`, {
    remedy: "Lower learningRate, or raise warmupShare",
  });
}

/** Ctrl-C ends the step at hand and saves; a second one ends the process at once. */
export function watchForStop(): { isAsked: () => boolean; dispose: () => void } {
  let asked = false;
  const ask = () => (asked = true);
  process.once("SIGINT", ask);
  process.once("SIGTERM", ask);
  return {
    isAsked: () => asked,
    dispose: () => {
      process.off("SIGINT", ask);
      process.off("SIGTERM", ask);
    },
  };
}
