import { BertqaError } from "@bertqa/squad";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { manifestName, parseManifest, stageOfKind, type ArtifactKind, type Manifest } from "./manifest.ts";

/** A finished artifact whose files were all checked against its manifest. */
export interface Artifact {
  readonly folder: string;
  readonly manifest: Manifest;
  path(name: string): string;
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

async function checkFile(stage: string, folder: string, file: Manifest["files"][number], remedy: string) {
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
