import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { BertqaError, formatDuration, type Reporter } from "@bertqa/core";
import { Pip, WheelError } from "@bertqa/runner/pip";
import type { LibraryChoice } from "./platform.ts";

/** What of the wheels is built on and run on, by how its names begin; Python's own part stays packed. */
const wantedMembers = [
  "tensorflow/libtensorflow_",
  "tensorflow/THIRD_PARTY_NOTICES.txt",
  "tensorflow/include/LICENSE",
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/ctstring",
  "tensorflow/include/tsl/platform/ctstring",
  "tensorflow/include/xla/tsl/c/",
  "nvidia/",
];

export function isLibraryComplete(choice: LibraryChoice, folder: string): boolean {
  const libraries = [choice.opsLibrary, choice.frameworkLibrary];
  return libraries.every((file) => existsSync(join(folder, "tensorflow", file)));
}

/**
 * Brings the TensorFlow library into `folder`, which is renamed into place when it is complete. `tensorflow/` and, for a GPU,
 * `nvidia/` lie side by side in it, because that is where the one looks for the other.
 *
 * @param partial an empty folder on the same disk, for downloads
 * @throws BertqaError for no Python or pip, no network, a wheel with another sha256 than the pinned, a full disk
 */
export async function fetchLibrary(
  choice: LibraryChoice,
  folder: string,
  partial: string,
  report: Reporter,
): Promise<void> {
  requireDiskSpace(choice, partial);
  const unpacked = join(partial, "library");
  try {
    await downloadAndUnpack(choice, partial, unpacked, report);
  } catch (error) {
    if (!(error instanceof WheelError)) throw error;
    throw new BertqaError("engine", error.message, { remedy: error.remedy, cause: error.cause });
  }
  if (isLibraryComplete(choice, folder)) return; // another install was faster; its binding may lie there by now
  rmSync(folder, { recursive: true, force: true });
  renameSync(unpacked, folder);
}

async function downloadAndUnpack(choice: LibraryChoice, partial: string, unpacked: string, report: Reporter) {
  const startedMs = Date.now();
  const elapsed = () => formatDuration(Date.now() - startedMs);
  const pip = await Pip.open(partial);
  const [first, ...cuda] = choice.wheels;
  const cudaNote = cuda.length > 0 ? ` and ${cuda.length} CUDA libraries` : "";
  report.line(`downloading ${first!.requirement}${cudaNote} with pip`);
  const wheels = await pip.download(choice.wheels, choice.wheelTags);
  const bytes = wheels.reduce((sum, wheel) => sum + statSync(wheel).size, 0);
  report.line(`downloaded ${(bytes / 1e6).toFixed(0)} MB · ${elapsed()}`);
  mkdirSync(unpacked);
  for (const wheel of wheels) {
    const members = (await pip.list(wheel)).filter(({ member }) => isWanted(member));
    await pip.unpack(
      wheel,
      members.map((file) => ({ ...file, path: join(unpacked, file.member) })),
    );
    rmSync(wheel);
  }
  report.line(`unpacked · ${elapsed()} in all`);
}

/** Names that climb out of the folder with ".." are no library's. */
function isWanted(member: string): boolean {
  return member === normalize(member) && wantedMembers.some((start) => member.startsWith(start));
}

function requireDiskSpace(choice: LibraryChoice, folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const freeGb = (bavail * bsize) / 1e9;
  if (freeGb >= choice.diskGb) return;
  const problem = `no room on disk for TensorFlow: it needs ${choice.diskGb} GB and ${freeGb.toFixed(1)} GB are free`;
  throw new BertqaError("engine", problem, {
    remedy: "Free some space, or set BERTQA_CACHE to a folder on another disk",
    where: folder,
  });
}
