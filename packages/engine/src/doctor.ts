import { existsSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { BertqaError, formatBytes } from "@bertqa/core";
import { cacheFolder, cacheFolderProblem } from "@bertqa/runner/cache-folder";
import { compareVersions, findPython, WheelError } from "@bertqa/runner/pip";
import { describeDevice, notableInstructionSets, type DeviceReport } from "./device.ts";
import { describeHost } from "./host.ts";
import { findCompiler } from "./install/binding.ts";
import { checkEngine } from "./install/check.ts";
import { isLibraryComplete } from "./install/library.ts";
import { chooseLibrary, tensorflowVersion, type LibraryChoice } from "./install/platform.ts";
import { threadsFrom } from "./load.ts";
import { findInstalledEngine, installCommand } from "./locate.ts";

/** One line of the doctor's table. */
export interface Finding {
  readonly name: string;
  /** "note": not as it could be, but nothing fails for it. */
  readonly status: "ok" | "note" | "missing";
  readonly found: string;
  /** What to do; empty where all is well. */
  readonly remedy: string;
}

const oldestNode = "20.19";

/** Looks at all that the engine needs. Works, and changes nothing, whatever is missing. */
export async function diagnose(): Promise<Finding[]> {
  const installed = findInstalledEngine();
  const isInstalled = "record" in installed;
  const library = findingOf("Platform", () => chooseLibrary(describeHost()), describeChoice);
  const device = await describeDevice();
  return [
    checkNode(process.versions.node),
    library.finding,
    // Python and the compiler are needed once: an installed engine runs without them.
    await toolFinding("Python with pip", isInstalled, async () => {
      const python = await findPython();
      return `${python.command} ${python.version}, ${python.pip ? `pip ${python.pip}` : "pip comes from ensurepip"}`;
    }),
    await toolFinding("C++ compiler", isInstalled, async () => (await findCompiler()).version),
    libraryFinding(library.value),
    isInstalled
      ? ok("Binding", `tfjs-node ${installed.record.tfjs}, by ${installed.record.compiler}`)
      : missing("Binding", "none", `${capitalize(installed.missing)}: run \`${installCommand}\``),
    isInstalled ? await selfTestFinding() : missing("Self-test", "not run", `Run \`${installCommand}\``),
    ...deviceFindings(device),
    await toolFinding("Threads", false, async () => String(threadsFrom(process.env))),
    await cacheFinding(cacheFolder()),
  ];
}

function ok(name: string, found: string): Finding {
  return { name, status: "ok", found, remedy: "" };
}

function missing(name: string, found: string, remedy: string): Finding {
  return { name, status: "missing", found, remedy };
}

export function checkNode(version: string): Finding {
  if (compareVersions(version, oldestNode) >= 0) return ok("Node", version);
  return missing("Node", version, `Install Node ${oldestNode} or later (https://nodejs.org)`);
}

function findingOf<T>(
  name: string,
  look: () => T,
  describe: (value: T) => string,
): { finding: Finding; value: T | undefined } {
  try {
    const value = look();
    return { finding: ok(name, describe(value)), value };
  } catch (error) {
    return { finding: missing(name, "not supported", adviceOf(error)), value: undefined };
  }
}

async function toolFinding(name: string, isOptional: boolean, look: () => Promise<string>): Promise<Finding> {
  try {
    return ok(name, await look());
  } catch (error) {
    const advice = adviceOf(error);
    if (!isOptional) return missing(name, "none", advice);
    return { name, status: "note", found: "none; needed only to install again", remedy: advice };
  }
}

async function selfTestFinding(): Promise<Finding> {
  try {
    return ok("Self-test", `passed on the ${(await checkEngine(tensorflowVersion)).toUpperCase()}`);
  } catch (error) {
    return missing("Self-test", "failed", adviceOf(error));
  }
}

/** @throws an error that is not the user's to fix */
function adviceOf(error: unknown): string {
  if (error instanceof WheelError) return `${capitalize(error.message)}. ${error.remedy}`;
  if (!(error instanceof BertqaError)) throw error;
  return capitalize(error.message.replace(/^engine: /, ""));
}

function describeChoice(choice: LibraryChoice): string {
  return `${process.platform} ${process.arch} → ${choice.wheels[0]!.requirement} (${choice.variant.toUpperCase()})`;
}

function libraryFinding(choice: LibraryChoice | undefined): Finding {
  const name = "TensorFlow library";
  if (choice === undefined) return missing(name, "none", "There is none for this platform: see above");
  const folder = join(cacheFolder(), "engine", choice.key);
  if (isLibraryComplete(choice, folder)) return ok(name, `${choice.version}, in ${folder}`);
  return missing(name, "none", `Run \`${installCommand}\``);
}

export function deviceFindings(device: DeviceReport): Finding[] {
  const gpus = device.gpus.map(
    (gpu) => `${gpu.name} (compute ${gpu.computeCapability.toFixed(1)}, ${gpu.memoryMb} MB)`,
  );
  const isIdle = device.device === "cpu" && gpus.length > 0;
  return [
    {
      name: "Device",
      status: isIdle ? "note" : "ok",
      found: device.device === "gpu" ? gpus.join(", ") : device.cpu,
      remedy: isIdle ? `${gpus.join(", ")} is not used: unset BERTQA_DEVICE, and run \`${installCommand}\`` : "",
    },
    ok("Instruction sets", describeInstructionSets(device.instructionSets)),
    ok("Precision", `${device.recommendedPrecision} is the faster one here`),
    ok("Memory", formatBytes(device.memoryBytes)),
  ];
}

/** Those that are missing too: they tell why a run is slower than on another machine. */
function describeInstructionSets(found: readonly string[]): string {
  if (process.arch !== "x64") return `not looked at on ${process.arch}`;
  const lacking = notableInstructionSets.filter((name) => !found.includes(name));
  return [found.join(", ") || "none", lacking.length > 0 ? `; without ${lacking.join(", ")}` : ""].join("");
}

async function cacheFinding(folder: string): Promise<Finding> {
  const problem = cacheFolderProblem(folder);
  if (problem) return missing("Cache folder", folder, `It ${problem}: set BERTQA_CACHE to a folder of your own`);
  const bytes = existsSync(folder) ? formatBytes(await bytesOf(folder)) : "empty";
  return ok("Cache folder", `${folder}, ${bytes}`);
}

/** @returns bytes of a file, or of a folder's files; 0 of what another run removed meanwhile */
export async function bytesOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    if (!stats.isDirectory()) return stats.size;
    const sizes = await Promise.all((await readdir(path)).map((name) => bytesOf(join(path, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

function capitalize(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
