import { BertqaError, type ProblemDetails } from "@bertqa/squad";
import { dirname } from "node:path";
import { z } from "zod";
import { sha256Of } from "./hash.ts";
import { describeIssues } from "./options.ts";

/** What a stage makes. Each kind has its reader and writer in `artifacts/`. */
export const artifactKinds = ["dataset", "windows", "model", "predictions", "evaluation", "export"] as const;
export type ArtifactKind = (typeof artifactKinds)[number];

/** The stage to rerun where an artifact of a kind is missing, old or damaged. */
export const stageOfKind: Readonly<Record<ArtifactKind, string>> = {
  dataset: "fetch",
  windows: "tokenize",
  model: "train",
  predictions: "predict",
  evaluation: "evaluate",
  export: "export",
};

/** Raised when a kind's layout changes: a reader refuses every other version by name. */
export const formatVersions: Readonly<Record<ArtifactKind, number>> = {
  dataset: 2,
  windows: 3,
  model: 2,
  predictions: 2,
  evaluation: 2,
  export: 1,
};

export const manifestName = "manifest.json";

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hex digits");

/** Names inside an artifact: `a/b.json`; no empty part, no `.` or `..`, no absolute path, no backslash or control character. */
export const artifactNamePattern = /^(?!\.{1,2}(\/|$))[^/\\\p{Cc}]+(\/(?!\.{1,2}(\/|$))[^/\\\p{Cc}]+)*$/u;

const fileSchema = z.strictObject({
  path: z.string().regex(artifactNamePattern, "expected a relative name without . or .."),
  bytes: z.int().nonnegative(),
  sha256: sha256Schema,
});

const manifestSchema = z.strictObject({
  kind: z.enum(artifactKinds),
  formatVersion: z.int().positive(),
  /** The stage's options with their defaults, without those that decide no byte. */
  options: z.record(z.string(), z.unknown()),
  /** What options such as "auto" came to on the machine that made it. */
  resolved: z.record(z.string(), z.unknown()),
  counts: z.record(z.string(), z.number()),
  /** Versions of the packages that decide the bytes. */
  versions: z.record(z.string(), z.string()),
  /** `contentSha256` of each artifact that was read, by the stage's slot for it. */
  inputs: z.record(z.string(), sha256Schema),
  /** Every file of the folder but this one, sorted by path. */
  files: z.array(fileSchema),
  /** sha256 over the sorted lines `sha256  path` of `files`, as `sha256sum` prints them. */
  contentSha256: sha256Schema,
  /** sha256 of this file's text with these digits left out: a damaged count or option shows like a damaged file. */
  manifestSha256: sha256Schema.optional(),
});

/** `manifest.json`, written last: a folder without one is no artifact. It holds no time, so equal work gives equal bytes. */
export type Manifest = z.output<typeof manifestSchema>;

/** An artifact that is there and is not what its manifest says. Where it came out of a cache, the cache holds the damage too. */
export class DamagedArtifactError extends BertqaError {
  readonly folder: string;

  constructor(stage: string, folder: string, kind: ArtifactKind, problem: string, details: ProblemDetails = {}) {
    super(stage, problem, { remedy: `Run the ${stageOfKind[kind]} stage again`, ...details });
    this.name = "DamagedArtifactError";
    this.folder = folder;
  }
}

/** A manifest as its file holds it, with the hash of its own text. */
export function manifestText(manifest: Manifest): string {
  const text = (manifestSha256: string) => `${JSON.stringify({ ...manifest, manifestSha256 }, null, 2)}\n`;
  return text(sha256Of(text("")));
}

/** Whether a manifest's text is that which was written; one without its own hash is taken as it is. */
function isAsWritten(text: string, value: unknown): boolean {
  const { manifestSha256 } = (value ?? {}) as { manifestSha256?: unknown };
  if (manifestSha256 === undefined) return true;
  if (typeof manifestSha256 !== "string") return false;
  const end = (digits: string) => `  "manifestSha256": "${digits}"\n}\n`;
  const tail = end(manifestSha256);
  return text.endsWith(tail) && sha256Of(text.slice(0, -tail.length) + end("")) === manifestSha256;
}

/**
 * Reads a manifest's text.
 *
 * @throws DamagedArtifactError if it is no manifest, or not the one that was written
 * @throws BertqaError if it is of another kind, or of another format version
 */
export function parseManifest(
  stage: string,
  text: string,
  kind: ArtifactKind,
  details: { remedy: string; where: string },
): Manifest {
  const damaged = (problem: string, cause?: unknown) =>
    new DamagedArtifactError(stage, dirname(details.where), kind, problem, { ...details, cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged("the manifest is not valid JSON", cause);
  }
  if (!isAsWritten(text, value)) throw damaged("the manifest is damaged: its text has not the sha256 that it gives");
  // Kind and version first: another version may well have another schema.
  const head = z.object({ kind: z.string(), formatVersion: z.number() }).safeParse(value);
  if (!head.success) throw damaged("the manifest has no kind and formatVersion");
  if (head.data.kind !== kind) {
    throw new BertqaError(stage, `got an artifact of kind "${head.data.kind}", expected "${kind}"`, details);
  }
  if (head.data.formatVersion !== formatVersions[kind]) {
    const got = `the ${kind} artifact has format version ${head.data.formatVersion}`;
    throw new BertqaError(stage, `${got}, this bertqa reads version ${formatVersions[kind]}`, details);
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    throw damaged(`the manifest breaks its schema: ${describeIssues(parsed.error)}`);
  }
  const { files, contentSha256 } = parsed.data;
  if (contentSha256Of(files) !== contentSha256) {
    throw damaged("the manifest's contentSha256 is not that of its list of files");
  }
  return parsed.data;
}

/** The content of an artifact as one hash: sha256 over the lines `sha256  path`, as `sha256sum` prints them. */
export function contentSha256Of(files: Manifest["files"]): string {
  return sha256Of(files.map((file) => `${file.sha256}  ${file.path}\n`).join(""));
}
