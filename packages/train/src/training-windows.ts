import { BertqaError, type WindowShard, type WindowsArtifact } from "@bertqa/core";
import { collateLabelledWindows, tokenCountsOf, type LabelledBatch, type WindowRows } from "@bertqa/model";

/** The training windows in memory: about 700 bytes each, 100 MB for the whole of SQuAD 2.0. */
export interface TrainingWindows {
  /** Tokens of each window, int32 [windows]. */
  readonly lengths: Int32Array;
  readonly collate: (windows: readonly number[]) => LabelledBatch;
}

/**
 * Reads the columns that training needs.
 *
 * @param paddingId the encoder's token that batches are padded with
 * @throws BertqaError if the split is empty
 */
export async function readTrainingWindows(
  artifact: WindowsArtifact,
  paddingId: number | undefined,
): Promise<TrainingWindows> {
  const shards: WindowRows[number][] = [];
  for (let shard = 0; shard < artifact.shardCount("train"); shard++) {
    shards.push(copyTrainingColumns(await artifact.readShard("train", shard)));
  }
  const lengths = tokenCountsOf(shards);
  if (lengths.length === 0) {
    throw new BertqaError("train", "there are no training windows", {
      remedy: "Check the train file of the dataset and tuneShare in tokenize.json",
      where: artifact.artifact.folder,
    });
  }
  return { lengths, collate: (windows) => collateLabelledWindows(shards, windows, { paddingId }) };
}

/** Copies, so that the rest of the file's buffer (offsets, flags: two thirds of it) can go. */
function copyTrainingColumns(shard: WindowShard): WindowRows[number] {
  return {
    rowCount: shard.rowCount,
    inputIds: { offsets: shard.inputIds.offsets.slice(), values: shard.inputIds.values.slice() },
    contextFirstToken: shard.contextFirstToken.slice(),
    startPosition: shard.startPosition.slice(),
    endPosition: shard.endPosition.slice(),
    plausibleStartPosition: shard.plausibleStartPosition.slice(),
    plausibleEndPosition: shard.plausibleEndPosition.slice(),
  };
}
