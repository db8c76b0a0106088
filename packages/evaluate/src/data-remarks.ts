import { countOf, datasetSplits } from "@bertqa/core";
import { describeLeftOut } from "@bertqa/squad";

/** What a reader of the scores must know of the data, in sentences, from the counts in fetch's manifest. */
export function dataRemarks(counts: Readonly<Record<string, number>>): string[] {
  const remarks = describeLeftOut(counts, datasetSplits).map((sentence) => `Not as written in the data, ${sentence}.`);
  for (const split of ["dev", "sanity"]) {
    const unlabelled = counts[`${split}Unlabelled`] ?? 0;
    if (unlabelled > 0) {
      remarks.push(`${countOf(unlabelled, `${split} question`)} without a word on answers: answered, not scored.`);
    }
    const shared = counts[`${split}PassagesInTrain`] ?? 0;
    if (shared > 0) remarks.push(`${countOf(shared, "passage")} of ${split} in train too: the scores are too high.`);
  }
  return remarks;
}
