import { createHash } from "node:crypto";
import { createReadStream, rmSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { BertqaError } from "./errors.ts";
import { describeIssues } from "./options.ts";

/** What a stage makes. Each kind has its reader and writer in `artifacts/`. */
export const artifactKinds = ["dataset", "windows", "model", "predictions", "evaluation"] as const;
export type ArtifactKind = (typeof artifactKinds)[number];

/** The stage to rerun where an artifact of a kind is missing, old or damaged. */
export const stageOfKind: Readonly<Record<ArtifactKind, string>> = {
  dataset: "fetch",
  windows: "tokenize",
  model: "train",
  predictions: "predict",
  evaluation: "evaluate",
};

/** Raised when a kind's layout changes: a reader refuses every other version by name. */
const formatVersions: Readonly<Record<ArtifactKind, number>> = {
  dataset: 1,
  windows: 1,
  model: 1,
  predictions: 1,
  evaluation: 1,
};

const manifestName = "manifest.json";

const fileSchema = z.strictObject({
  path: z.string(),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const manifestSchema = z.strictObject({
  kind: z.enum(artifactKinds),
  formatVersion: z.int().positive(),
  /** The resolved options that remake this artifact. */
  options: z.record(z.string(), z.unknown()),
  counts: z.record(z.string(), z.number()),
  /** Versions of the packages that decide the bytes. */
  versions: z.record(z.string(), z.string()),
  /** `contentSha256` of each artifact that was read. */
  inputs: z.record(z.string(), z.string()),
  files: z.array(fileSchema),
  /** Records of the run (times, rates): kept with the artifact, left out of every hash, so that equal work gives equal bytes. */
  logs: z.array(z.string()),
  /** sha256 over the sorted lines `sha256  path` of `files`, as `sha256sum` prints them. */
  contentSha256: z.string(),
});

/** `manifest.json`, written last: a folder without one is no artifact. Holds no time and no machine, so it is byte-deterministic. */
export type Manifest = z.output<typeof manifestSchema>;

/** What a writer says of its artifact besides the files. */
export interface ArtifactDescription {
  readonly kind: ArtifactKind;
  readonly options: Readonly<Record<string, unknown>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, string>>;
}

/** An artifact being written, in a temporary folder beside its final place. */
export interface ArtifactDraft {
  readonly folder: string;
  /** Absolute path of a file to write, with its parent folders made. A `log` file or folder is listed but not hashed. */
  path(name: string, options?: { readonly log?: boolean }): Promise<string>;
}

/** A finished artifact whose files were all checked against its manifest. */
export interface Artifact {
  readonly folder: string;
  readonly manifest: Manifest;
  path(name: string): string;
}

/**
 * Writes an artifact as a whole or not at all: `fill` writes into `<folder>/../.<name>.partial-<pid>`, the manifest comes
 * last, and one rename puts it in place. Where `fill` throws or the process dies, no artifact is left; what an
 * earlier, killed process left is removed.
 *
 * @param fill writes the files and returns the description
 * @returns the artifact in its final place
 * @throws BertqaError if the disk is full or the folder cannot be written
 */
export async function writeArtifact(
  stage: string,
  folder: string,
  fill: (draft: ArtifactDraft) => Promise<ArtifactDescription>,
): Promise<Artifact> {
  const parent = dirname(folder);
  const partial = join(parent, `.${basename(folder)}.partial-${process.pid}`);
  const logs: string[] = [];
  const stopWatching = removeOnSignal(partial);
  try {
    await mkdir(parent, { recursive: true });
    await removeAbandoned(parent, basename(folder));
    await mkdir(partial);
    const description = await fill({
      folder: partial,
      path: async (name, options) => {
        if (options?.log) logs.push(name);
        const path = join(partial, name);
        await mkdir(dirname(path), { recursive: true });
        return path;
      },
    });
    const manifest = await describeFolder(partial, description, logs);
    await writeFile(join(partial, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    return { folder, manifest, path: (name) => join(folder, name) };
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    throw explainDiskError(stage, folder, cause);
  } finally {
    stopWatching();
  }
}

/** On Ctrl-C, or where a supervisor ends the process, the partial folder goes too; SIGKILL leaves it to the next start. */
function removeOnSignal(partial: string): () => void {
  const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
  const handlers = Object.entries(signals).map(([signal, number]) => {
    const handler = () => {
      rmSync(partial, { recursive: true, force: true });
      process.exit(128 + number);
    };
    process.once(signal, handler);
    return { signal, handler };
  });
  return () => handlers.forEach(({ signal, handler }) => process.off(signal, handler));
}

/**
 * Opens an artifact and checks every file's size and sha256.
 *
 * @throws BertqaError naming the file and the stage to rerun, if the artifact is missing, of another kind or version, or damaged
 */
export async function openArtifact(stage: string, folder: string, kind: ArtifactKind): Promise<Artifact> {
  const remedy = `Run the ${stageOfKind[kind]} stage again`;
  const where = join(folder, manifestName);
  let text: string;
  try {
    text = await readFile(where, "utf8");
  } catch (cause) {
    throw new BertqaError(stage, `there is no ${kind} artifact in ${folder}`, { remedy, where, cause });
  }
  const manifest = parseManifest(stage, text, kind, { remedy, where });
  await Promise.all(manifest.files.map((file) => checkFile(stage, folder, file, remedy)));
  return { folder, manifest, path: (name) => join(folder, name) };
}

function parseManifest(
  stage: string,
  text: string,
  kind: ArtifactKind,
  details: { remedy: string; where: string },
): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BertqaError(stage, "the manifest is not valid JSON", { ...details, cause });
  }
  // Kind and version first: another version may well have another schema.
  const head = z.object({ kind: z.string(), formatVersion: z.number() }).safeParse(value);
  if (!head.success) throw new BertqaError(stage, "the manifest has no kind and formatVersion", details);
  if (head.data.kind !== kind) {
    throw new BertqaError(stage, `got an artifact of kind "${head.data.kind}", expected "${kind}"`, details);
  }
  if (head.data.formatVersion !== formatVersions[kind]) {
    const got = `the ${kind} artifact has format version ${head.data.formatVersion}`;
    throw new BertqaError(stage, `${got}, this bertqa reads version ${formatVersions[kind]}`, details);
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    throw new BertqaError(stage, `the manifest breaks its schema: ${describeIssues(parsed.error)}`, details);
  }
  return parsed.data;
}

async function checkFile(stage: string, folder: string, file: z.output<typeof fileSchema>, remedy: string) {
  const path = join(folder, file.path);
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new BertqaError(stage, `the file ${path} of the artifact is missing`, { remedy });
  if (found.size !== file.bytes) {
    throw new BertqaError(stage, `${path} has ${found.size} bytes, its manifest says ${file.bytes}`, { remedy });
  }
  const sha256 = await sha256OfFile(path);
  if (sha256 !== file.sha256) {
    throw new BertqaError(stage, `${path} has sha256 ${sha256}, its manifest says ${file.sha256}`, { remedy });
  }
}

async function describeFolder(folder: string, description: ArtifactDescription, logs: string[]): Promise<Manifest> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => !logs.some((log) => name === log || name.startsWith(`${log}/`)))
    .sort();
  const files = await Promise.all(
    names.map(async (path) => {
      const full = join(folder, path);
      await syncToDisk(full);
      return { path, bytes: (await stat(full)).size, sha256: await sha256OfFile(full) };
    }),
  );
  const contentSha256 = sha256Of(files.map((file) => `${file.sha256}  ${file.path}\n`).join(""));
  const { kind, options, counts, versions, inputs } = description;
  return {
    kind,
    formatVersion: formatVersions[kind],
    options: { ...options },
    counts: { ...counts },
    versions: { ...versions },
    inputs: { ...inputs },
    files,
    logs: logs.toSorted(),
    contentSha256,
  };
}

/** sha256 of a file, in lower-case hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** sha256 of a text (as UTF-8) or of bytes, in lower-case hex. */
export function sha256Of(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

async function syncToDisk(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes the partial folders of processes that are gone (SIGKILL, power cut); a living process keeps its own. */
async function removeAbandoned(parent: string, name: string): Promise<void> {
  const prefix = `.${name}.partial-`;
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(prefix)) continue;
    const pid = Number(entry.slice(prefix.length));
    if (pid === process.pid || !isAlive(pid)) await rm(join(parent, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

function explainDiskError(stage: string, folder: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof BertqaError || !code) return cause;
  const where = folder;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BertqaError(stage, "the disk is full", { remedy: "Free some space and run again", where, cause });
  }
  if (code === "EACCES" || code === "EROFS" || code === "EPERM") {
    return new BertqaError(stage, `the folder cannot be written: ${code}`, { where, cause });
  }
  return cause;
}
