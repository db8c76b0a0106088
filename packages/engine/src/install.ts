import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { BertqaError, type Reporter } from "@bertqa/core";
import { buildBinding, findCompiler, isBindingBuilt } from "./install-binding.ts";
import { checkEngine } from "./install-check.ts";
import { describeHost } from "./install-host.ts";
import { fetchLibrary, isLibraryComplete } from "./install-library.ts";
import { isAlive, withLock } from "./install-lock.ts";
import { chooseLibrary, type LibraryChoice } from "./install-platform.ts";
import {
  bindingFile,
  bindingLinkPath,
  cacheFolder,
  engineRecordFile,
  engineRecordFormat,
  readEngineRecord,
  tfjsFolder,
  type EngineRecord,
} from "./locate.ts";

/**
 * Brings TensorFlow into the cache, builds tfjs-node's binding on it, links that into `node_modules` and checks that it
 * multiplies. Each part that is there already is kept.
 *
 * @throws BertqaError where the machine cannot have it, with the remedy
 */
export async function installEngine(report: Reporter): Promise<EngineRecord> {
  const choice = chooseLibrary(describeHost());
  const root = join(cacheFolder(), "engine");
  const waiting = (holder: number) => report.line(`waiting for process ${holder}, which is installing`);
  return await onWritableDisk(root, () =>
    withLock(join(root, "install.lock"), waiting, async () => {
      removeLeftovers(root);
      return await installUnderLock(choice, join(root, choice.key), report);
    }),
  );
}

async function installUnderLock(choice: LibraryChoice, library: string, report: Reporter): Promise<EngineRecord> {
  const binding = join(library, `tfjs-${tfjsVersion()}`);
  if (!isLibraryComplete(choice, library)) {
    await findCompiler(); // before the long download, not after it
    await fetchLibrary(choice, library, report);
  }
  const host = describeHost();
  const kept = isBindingBuilt(binding) ? readEngineRecord(binding) : undefined;
  const compiler = kept ? kept.compiler : (await buildBinding(choice, library, binding, report)).version;
  linkBinding(join(binding, bindingFile));
  const isChecked = kept !== undefined && isDeepStrictEqual(kept.host, host);
  const device = isChecked ? kept.device : await checkOrUnlink(choice, report);
  const record: EngineRecord = {
    format: engineRecordFormat,
    host,
    tensorflow: choice.version,
    tfjs: tfjsVersion(),
    variant: choice.variant,
    device,
    compiler,
  };
  writeWhole(join(binding, engineRecordFile), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

async function checkOrUnlink(choice: LibraryChoice, report: Reporter): Promise<"cpu" | "gpu"> {
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
  const partial = `${link}.partial-${process.pid}`;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(partial, { force: true });
  symlinkSync(target, partial);
  renameSync(partial, link);
}

function writeWhole(path: string, text: string): void {
  const partial = `${path}.partial-${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

/** What installs that were killed left behind. */
function removeLeftovers(root: string): void {
  for (const name of readdirSync(root)) {
    const processId = /^\.partial-(\d+)$/.exec(name)?.[1];
    if (processId && !isAlive(Number(processId))) rmSync(join(root, name), { recursive: true, force: true });
  }
}

const diskProblems = new Set(["EACCES", "EROFS", "ENOSPC", "EPERM", "ENOTDIR"]);

async function onWritableDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    // On a read-only disk Node's recursive mkdir says ENOENT.
    const isDiskProblem = diskProblems.has(code ?? "") || (code === "ENOENT" && syscall === "mkdir");
    if (!isDiskProblem) throw error;
    throw new BertqaError("engine", `cannot write: ${message}`, {
      remedy: "Set BERTQA_CACHE to a folder you may write to, on a disk with room",
      where: folder,
      cause: error,
    });
  }
}

function tfjsVersion(): string {
  return (createRequire(import.meta.url)(join(tfjsFolder(), "package.json")) as { version: string }).version;
}
