import type { ArtifactDraft } from "../artifact-draft.ts";
import { openArtifact, type Artifact } from "../artifact.ts";
import { stageOfKind } from "../manifest.ts";
import { readColumns, writeColumns, type Columns } from "../arrow.ts";

/** Splits after tokenize: `tune` is a held-out part of the train articles, for thresholds and calibration; it may be empty. */
export const windowSplits = ["train", "tune", "dev", "sanity"] as const;
export type WindowSplit = (typeof windowSplits)[number];

/**
 * One row a window. A window is `[CLS] question [SEP] context part [SEP]`, without padding; L is its token count.
 * Rows keep the order of the questions in the file, a question's windows the order of the context.
 */
export const windowColumns = {
  questionId: "utf8",
  /** 0 for a question's first window, 1 for the next … */
  windowIndex: "int32",
  /** Token ids, [L]. */
  inputIds: "list:int32",
  /** First token of the context part; tokens before it have type 0, tokens from it on type 1. */
  contextFirstToken: "int32",
  /** Number of context tokens, without the closing [SEP]. */
  contextTokenCount: "int32",
  /** Character offsets in the context, in code points, one a context token: [contextTokenCount]. */
  contextStartCodePoints: "list:int32",
  contextEndCodePoints: "list:int32",
  /** 1 where this window gives the context token most context of all the question's windows: [contextTokenCount]. */
  maxContext: "list:uint8",
  /** Labels: token positions in the window of the answer's first and last token; 0 and 0 ([CLS]) for no answer here. */
  startPosition: "int32",
  endPosition: "int32",
  /** Of an unanswerable question: the span that looks like its answer and is none; 0 and 0 where there is none here. */
  plausibleStartPosition: "int32",
  plausibleEndPosition: "int32",
} as const;

export type WindowColumns = Columns<typeof windowColumns>;

/** One Arrow file of windows. */
export type WindowShard = WindowColumns & { readonly rowCount: number };

const shardName = (split: WindowSplit, index: number) => `${split}-${String(index).padStart(5, "0")}.arrow`;

/** Writes the next shard of a split into a windows artifact. */
export async function writeWindowShard(
  draft: ArtifactDraft,
  split: WindowSplit,
  index: number,
  columns: WindowColumns,
): Promise<void> {
  await writeColumns(await draft.path(shardName(split, index)), windowColumns, columns);
}

/** What tokenize made: windows of each split, in shards; the tokenizer's files lie in `tokenizer/`. */
export interface WindowsArtifact {
  readonly artifact: Artifact;
  /** Number of shards of a split; 0 where the split is empty. */
  shardCount(split: WindowSplit): number;
  /** Reads one shard. Its arrays are views on the file's buffer: drop the shard to free it. */
  readShard(split: WindowSplit, index: number): Promise<WindowShard>;
}

/** Opens tokenize's artifact. @throws BertqaError as {@link openArtifact} does, or if a shard is cut short */
export async function openWindows(stage: string, folder: string): Promise<WindowsArtifact> {
  const artifact = await openArtifact(stage, folder, "windows");
  const names = artifact.manifest.files.map((file) => file.path);
  return {
    artifact,
    shardCount: (split) => names.filter((name) => name.startsWith(`${split}-`) && name.endsWith(".arrow")).length,
    readShard: async (split, index) => {
      const remedy = `Run the ${stageOfKind.windows} stage again`;
      return readColumns(stage, await artifact.file(shardName(split, index)), windowColumns, remedy);
    },
  };
}
