import { existsSync } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BertqaError, type ProblemDetails } from "@bertqa/squad";
import { sha256OfFile } from "./hash.ts";
import {
  DamagedArtifactError,
  manifestName,
  parseManifest,
  stageOfKind,
  type ArtifactKind,
  type Manifest,
} from "./manifest.ts";

/** A finished artifact: a folder that holds exactly the files of its manifest. */
export interface Artifact {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Whether the manifest lists a file. */
  has(name: string): boolean;
  /**
   * Absolute path of a listed file. Its sha256 is checked the first time: a stage pays only for what it reads.
   *
   * @throws BertqaError if the file is not listed or not what the manifest says
   */
  file(name: string): Promise<string>;
  /** Absolute path of a folder in the artifact, all its files checked as by {@link file}. */
  folderOf(name: string): Promise<string>;
}

/**
 * Opens an artifact. It may come from a shared cache or a colleague, so nothing in it is trusted: the folder is walked without
 * following links, and holds exactly the regular files that the manifest lists, with their sizes.
 *
 * @throws BertqaError naming the file and the stage to run again, if the artifact is missing, of another kind or version, or damaged
 */
export async function openArtifact(stage: string, folder: string, kind: ArtifactKind): Promise<Artifact> {
  const text = await readManifest(stage, folder, kind);
  const remedy = `Run the ${stageOfKind[kind]} stage again`;
  const manifest = parseManifest(stage, text, kind, { remedy, where: join(folder, manifestName) });
  const damaged = (problem: string, details: ProblemDetails = {}) =>
    new DamagedArtifactError(stage, folder, kind, problem, details);
  const sizes = await sizesOfFiles(folder).catch((cause: unknown) => {
    throw cause instanceof IrregularFileError ? damaged(cause.message, { cause }) : cause;
  });
  sizes.delete(manifestName);
  for (const { path, bytes } of manifest.files) {
    const found = sizes.get(path);
    const file = join(folder, path);
    if (found === undefined) throw damaged(`the file ${file} of the artifact is missing`);
    if (found !== bytes) throw damaged(`${file} has ${found} bytes, its manifest says ${bytes}`);
    sizes.delete(path);
  }
  const [unlisted] = sizes.keys();
  if (unlisted !== undefined) throw damaged(`${join(folder, unlisted)} is not listed in the artifact's manifest`);
  return checkedArtifact(folder, manifest, damaged);
}

async function readManifest(stage: string, folder: string, kind: ArtifactKind): Promise<string> {
  const path = join(folder, manifestName);
  try {
    if ((await lstat(path)).isFile()) return await readFile(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Run the ${stageOfKind[kind]} stage first`, where: path, cause };
    const problem = `there is no ${kind} artifact in ${folder}`;
    // A cache may have given the folder without its manifest, and would again.
    if (existsSync(folder)) throw new DamagedArtifactError(stage, folder, kind, problem, details);
    throw new BertqaError(stage, problem, details);
  }
  throw new DamagedArtifactError(stage, folder, kind, "the manifest is not a regular file", { where: path });
}

class IrregularFileError extends Error {}

/**
 * Sizes in bytes of all files under a folder, by their names with `/`.
 *
 * @throws IrregularFileError if anything in it is neither a regular file nor a folder (a link, a pipe, a device)
 */
export async function sizesOfFiles(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const visit = async (prefix: string): Promise<void> => {
    for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
      const name = prefix + entry.name;
      if (entry.isDirectory()) await visit(`${name}/`);
      else if (entry.isFile()) sizes.set(name, (await lstat(join(folder, name))).size);
      else throw new IrregularFileError(`${join(folder, name)} is neither a regular file nor a folder`);
    }
  };
  await visit("");
  return sizes;
}

function checkedArtifact(folder: string, manifest: Manifest, damaged: (problem: string) => Error): Artifact {
  const files = new Map(manifest.files.map((file) => [file.path, file]));
  const checks = new Map<string, Promise<string>>();
  const check = async (name: string): Promise<string> => {
    const path = join(folder, name);
    const listed = files.get(name);
    if (!listed) throw damaged(`the artifact in ${folder} has no file ${name}`);
    const sha256 = await sha256OfFile(path).catch((cause: NodeJS.ErrnoException) => {
      // Nx takes an artifact away to restore it, without our lock.
      throw cause.code === "ENOENT" ? damaged(`${path} is gone`) : cause;
    });
    if (sha256 !== listed.sha256) throw damaged(`${path} has sha256 ${sha256}, its manifest says ${listed.sha256}`);
    return path;
  };
  const file = (name: string): Promise<string> => {
    const checked = checks.get(name) ?? check(name);
    checks.set(name, checked);
    return checked;
  };
  return {
    folder,
    manifest,
    has: (name) => files.has(name),
    file,
    folderOf: async (name) => {
      for (const path of files.keys()) if (path.startsWith(`${name}/`)) await file(path);
      return join(folder, name);
    },
  };
}
