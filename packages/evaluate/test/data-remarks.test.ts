import { expect, test } from "vitest";
import { dataRemarks } from "../src/data-remarks.ts";

test("what fetch counted is said beside the scores, and nothing where all is well", () => {
  expect(dataRemarks({ devQuestions: 9, devSkipped: 0 })).toEqual([]);
  const counts = {
    trainSkipped: 2,
    trainSkippedEmptyText: 2,
    devLostLabel: 3,
    devUnlabelled: 1,
    devPassagesInTrain: 2,
  };
  expect(dataRemarks(counts)).toEqual([
    "Not as written in the data, train: 2 × empty text (left out).",
    "Not as written in the data, dev: 3 × answer that does not stand in its passage.",
    "1 dev question without a word on answers: answered, not scored.",
    "2 passages of dev in train too: the scores are too high.",
  ]);
});
