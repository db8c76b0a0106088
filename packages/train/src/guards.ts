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

/** Ctrl-C reaches a process under Nx twice, from the terminal and from Nx: what follows this soon is the same wish. */
const echoMs = 1000;

/** Ctrl-C ends the step at hand and saves; another one, a second later or more, ends the process at once. */
export function watchForStop(): { isAsked: () => boolean; dispose: () => void } {
  let askedMs: number | undefined;
  const ask = () => {
    if (askedMs !== undefined && performance.now() - askedMs > echoMs) process.exit(130);
    askedMs ??= performance.now();
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  return {
    isAsked: () => askedMs !== undefined,
    dispose: () => {
      process.off("SIGINT", ask);
      process.off("SIGTERM", ask);
    },
  };
}
