import { questionsOf, squadFileSchema, type Question } from "@bertqa/squad";
import { readFile } from "node:fs/promises";
import { openArtifact, type Artifact } from "../artifact.ts";
import { parseJson } from "../options.ts";

/** The two files of a dataset. Tokenize may split `tune` off `train`; see `windows.ts`. */
export const datasetSplits = ["train", "dev"] as const;
export type DatasetSplit = (typeof datasetSplits)[number];

/** Files of the encoder in a dataset artifact, by the names that Hugging Face gives them. */
export const encoderFiles = [
  "config.json",
  "model.safetensors",
  "tokenizer.json",
  "vocab.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
] as const;
export type EncoderFile = (typeof encoderFiles)[number];

/** Those of {@link encoderFiles} that make a tokenizer. */
export const tokenizerFiles = ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"] as const;

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
    questions: async (split) => {
      const path = await artifact.file(datasetLayout.splitFile(split));
      return questionsOf(parseJson(stage, await readFile(path, "utf8"), path, squadFileSchema));
    },
  };
}
