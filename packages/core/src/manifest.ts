import { BertqaError } from "@bertqa/squad";
import { z } from "zod";
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
export const formatVersions: Readonly<Record<ArtifactKind, number>> = {
  dataset: 1,
  windows: 1,
  model: 1,
  predictions: 1,
  evaluation: 1,
};

export const manifestName = "manifest.json";

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

/**
 * Reads a manifest's text.
 *
 * @throws BertqaError if it is no manifest, of another kind, or of another format version
 */
export function parseManifest(
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
