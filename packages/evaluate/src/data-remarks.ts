import { countOf } from "@bertqa/core";
import { describeLeftOut } from "@bertqa/squad";

/** What a reader of the scores must know of the data, in sentences, from the counts in fetch's manifest. */
export function dataRemarks(counts: Readonly<Record<string, number>>): string[] {
  const remarks = describeLeftOut(counts, ["train", "dev"]).map(
    (sentence) => `Not as written in the data, ${sentence}.`,
  );
  const unlabelled = counts["devUnlabelled"] ?? 0;
  if (unlabelled > 0) {
    remarks.push(`${countOf(unlabelled, "dev question")} without a word on answers: answered, not scored.`);
  }
  const shared = counts["devPassagesInTrain"] ?? 0;
  if (shared > 0) remarks.push(`${countOf(shared, "passage")} of dev in train too: the scores are too high.`);
  return remarks;
}
