import { BertqaError, formatBytes, sizesOfFiles } from "@bertqa/core";
import type { BertCheckpoint } from "@bertqa/model";
import { statfs } from "node:fs/promises";

/**
 * Bytes that a run still writes. Three checkpoints at most lie there at once (two kept, one being written), each with the weights and both moments; the
 * artifact holds the weights once more. What already lies in the folder needs no second place.
 */
export function neededBytes(weightBytes: number, presentBytes: number): number {
  return weightBytes * (3 * 3 + 1) - presentBytes;
}

/** @throws BertqaError if the disk has not the space that the run still needs */
export async function checkDiskSpace(folder: string, encoder: BertCheckpoint): Promise<void> {
  const weightBytes = [...encoder.tensors.values()].reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  const present = [...(await sizesOfFiles(folder)).values()].reduce((sum, bytes) => sum + bytes, 0);
  const needed = neededBytes(weightBytes, present);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  const free = `${formatBytes(bavail * bsize)} free`;
  throw new BertqaError("train", `${free}, but checkpoints and model need ${formatBytes(needed)} more`, {
    remedy: "Free some disk space and run again",
    where: folder,
  });
}

/** Ctrl-C reaches a process under Nx twice, from the terminal and from Nx: what follows this soon is the same wish. */
const echoMs = 1000;

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Ctrl-C, a supervisor's end and a terminal that is closed end the step at hand and save; another signal, a second later or more,
 * ends the process at once.
 */
export function watchForStop(): { isAsked: () => boolean; dispose: () => void } {
  let askedMs: number | undefined;
  const ask = () => {
    if (askedMs !== undefined && performance.now() - askedMs > echoMs) process.exit(130);
    askedMs ??= performance.now();
  };
  for (const signal of stopSignals) process.on(signal, ask);
  return {
    isAsked: () => askedMs !== undefined,
    dispose: () => {
      for (const signal of stopSignals) process.off(signal, ask);
    },
  };
}
