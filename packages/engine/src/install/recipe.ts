import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { BertqaError, formatDuration, type Reporter } from "@bertqa/core";
import { createReporter, runCommand } from "@bertqa/runner";
import { openCacheFolder } from "@bertqa/runner/cache-folder";
import { describeHost, type Device } from "../host.ts";
import { kernelsFile } from "../kernels.ts";
import {
  bindingFile,
  bindingLinkPath,
  engineRecordFile,
  engineRecordFormat,
  readEngineRecord,
  tfjsFolder,
  type EngineRecord,
} from "../locate.ts";
import { buildBinding, buildKernels, findCompiler, isBindingBuilt } from "./binding.ts";
import { checkEngine } from "./check.ts";
import { fetchLibrary, isLibraryComplete } from "./library.ts";
import { makePartialFolder, removeLeftovers } from "./partial.ts";
import { chooseLibrary, type LibraryChoice } from "./platform.ts";

/** The command `engine:install`. */
export async function runInstall(): Promise<void> {
  await runCommand(async () => {
    const report = createReporter("engine");
    const startedMs = Date.now();
    const record = await installEngine(report);
    const elapsed = formatDuration(Date.now() - startedMs);
    report.line(`TensorFlow ${record.tensorflow} on the ${record.device.toUpperCase()} is ready · ${elapsed}`);
  });
}

/**
 * Brings TensorFlow into the cache, builds tfjs-node's binding on it, links that into `node_modules` and checks that it multiplies.
 * Each part that is there already is kept. Two installs at once are safe, and wasteful: each part is renamed into place complete.
 *
 * @throws BertqaError where the machine cannot have it, with the remedy
 */
async function installEngine(report: Reporter): Promise<EngineRecord> {
  const choice = chooseLibrary(describeHost());
  return await onWritableDisk(async () => {
    const root = join(await openCacheFolder("engine"), "engine");
    mkdirSync(root, { recursive: true });
    removeLeftovers(root);
    const partial = makePartialFolder(root);
    try {
      return await installInto(root, partial, choice, report);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  });
}

async function installInto(
  root: string,
  partial: string,
  choice: LibraryChoice,
  report: Reporter,
): Promise<EngineRecord> {
  const library = join(root, choice.key);
  const tfjs = tfjsVersion();
  const binding = join(library, `tfjs-${tfjs}`);
  if (!isLibraryComplete(choice, library)) {
    await findCompiler(); // before the long download, not after it
    await fetchLibrary(choice, library, partial, report);
  }
  const host = describeHost();
  const kept = recordOf(binding);
  const compiler = kept?.compiler ?? (await replaceBinding(choice, library, binding, partial, report));
  linkBinding(join(binding, bindingFile));
  const kernels = choice.variant === "cpu" ? kernelsFile(library) : undefined;
  if (kernels && !existsSync(kernels)) {
    const built = join(partial, "kernels.node");
    await buildKernels(library, choice, built, report);
    flush(built);
    renameSync(built, kernels);
  }
  const isChecked = kept !== undefined && isDeepStrictEqual(kept.host, host);
  const device = isChecked ? kept.device : await checkOrUnlink(choice, report);
  const { version: tensorflow, variant } = choice;
  const record: EngineRecord = { format: engineRecordFormat, host, tensorflow, tfjs, variant, device, compiler };
  writeFlushed(join(binding, engineRecordFile), `${JSON.stringify(record, null, 2)}\n`, partial);
  return record;
}

/** The record of a binding that is whole. */
function recordOf(binding: string): EngineRecord | undefined {
  return isBindingBuilt(binding) ? readEngineRecord(binding) : undefined;
}

/** @returns the compiler's version */
export async function replaceBinding(
  choice: LibraryChoice,
  library: string,
  binding: string,
  partial: string,
  report: Reporter,
): Promise<string> {
  const built = join(partial, "binding");
  const { version } = await buildBinding(choice, library, built, report);
  for (const name of readdirSync(built)) flush(join(built, name));
  const faster = recordOf(binding); // of another install, whose engine may be in use by now
  if (faster) return faster.compiler;
  if (existsSync(binding)) renameSync(binding, join(partial, "old-binding"));
  renameSync(built, binding);
  return version;
}

async function checkOrUnlink(choice: LibraryChoice, report: Reporter): Promise<Device> {
  try {
    const device = await checkEngine(choice.version);
    if (choice.variant === "gpu" && device === "cpu") {
      report.line("TensorFlow for NVIDIA found no GPU that it can use: it will compute on the CPU");
    }
    return device;
  } catch (error) {
    rmSync(bindingLinkPath(), { force: true });
    throw error;
  }
}

/** tfjs-node loads what lies at this path; `npm ci` wipes it, and a link costs nothing to restore. */
function linkBinding(target: string): void {
  const link = bindingLinkPath();
  const partial = `${link}.partial-${randomBytes(6).toString("hex")}`;
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(target, partial);
  renameSync(partial, link);
}

/** What the record or a name vouches for must not be cut short by a power cut. */
function flush(path: string): void {
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
}

/** A power cut leaves the old file or the new one, never a part of it. */
function writeFlushed(path: string, text: string, partialFolder: string): void {
  const partial = join(partialFolder, "record");
  writeFileSync(partial, text, { flush: true });
  renameSync(partial, path);
}

const diskProblems = new Set(["EACCES", "EROFS", "ENOSPC", "EPERM", "ENOTDIR"]);

async function onWritableDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    // On a read-only disk Node's recursive mkdir says ENOENT.
    const isDiskProblem = diskProblems.has(code ?? "") || (code === "ENOENT" && syscall === "mkdir");
    if (!isDiskProblem) throw error;
    throw new BertqaError("engine", `cannot write: ${message}`, {
      remedy: "Set BERTQA_CACHE to a folder you may write to, on a disk with room",
      cause: error,
    });
  }
}

function tfjsVersion(): string {
  return (createRequire(import.meta.url)(join(tfjsFolder(), "package.json")) as { version: string }).version;
}
