import { questionsOf, squadFileSchema, type Question } from "@bertqa/squad";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { openArtifact, type Artifact } from "../artifact.ts";
import type { Manifest } from "../manifest.ts";
import { parseJson } from "../options.ts";

/**
 * The files of a dataset. Tokenize may split `tune` off `train`; see `windows.ts`. `sanity` and `extra` are there only where
 * `fetch.json` names them: questions that each try one difficulty, scored beside dev, on which nothing is learned or chosen;
 * and questions of other people that are learned beside train, and of which none is ever held out.
 */
export const datasetSplits = ["train", "dev", "sanity", "extra"] as const;
export type DatasetSplit = (typeof datasetSplits)[number];

/** Files of the encoder that make a tokenizer, by the names that Hugging Face gives them. */
export const tokenizerFiles = [
  "tokenizer.json",
  "vocab.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
] as const;

/** Files of the encoder in a dataset artifact. */
export const encoderFiles = ["config.json", "model.safetensors", ...tokenizerFiles] as const;
export type EncoderFile = (typeof encoderFiles)[number];

/** Layout of a dataset artifact: the checked SQuAD files and the pretrained encoder. */
export const datasetLayout = {
  splitFile: (split: DatasetSplit) => `${split}.json`,
  encoderFolder: "encoder",
} as const;

/** What fetch made: checked questions and the encoder to start from. */
export interface DatasetArtifact {
  readonly artifact: Artifact;
  /** Path of one of {@link encoderFiles}, checked; `undefined` where the encoder does not ship it. */
  encoderFile(name: EncoderFile): Promise<string | undefined>;
  /** The encoder's folder, all its files checked. */
  encoderFolder(): Promise<string>;
  has(split: DatasetSplit): boolean;
  questions(split: DatasetSplit): Promise<Question[]>;
}

/** Opens fetch's artifact. @throws BertqaError as {@link openArtifact} does, or if a file breaks the SQuAD schema */
export async function openDataset(stage: string, folder: string): Promise<DatasetArtifact> {
  const artifact = await openArtifact(stage, folder, "dataset");
  return {
    artifact,
    encoderFile: async (name) => {
      const path = `${datasetLayout.encoderFolder}/${name}`;
      return artifact.has(path) ? artifact.file(path) : undefined;
    },
    encoderFolder: () => artifact.folderOf(datasetLayout.encoderFolder),
    has: (split) => artifact.has(datasetLayout.splitFile(split)),
    questions: async (split) => {
      const path = await artifact.file(datasetLayout.splitFile(split));
      return questionsOf(parseJson(stage, await readFile(path, "utf8"), path, squadFileSchema));
    },
  };
}

const encoderSchema = z.object({ encoder: z.object({ sources: z.array(z.string()).min(1) }) });

/**
 * The encoder's name as people know it, from a dataset's options: `all-MiniLM-L6-v2` of `hub:owner/all-MiniLM-L6-v2@revision`.
 * Of an address the path alone is used: no user name, password or query, since the name is shown to everybody.
 */
export function encoderName({ options }: Pick<Manifest, "options">): string {
  const source = encoderSchema.safeParse(options).data?.encoder.sources[0] ?? "";
  const packaged = /^(?:hub|pypi):([^@=]+)/.exec(source)?.[1];
  const path = packaged ?? (URL.canParse(source) ? new URL(source).pathname : source);
  return path.split("/").findLast((part) => part !== "") ?? "BERT";
}
