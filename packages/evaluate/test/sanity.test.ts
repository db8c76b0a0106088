import type { Evaluation } from "@bertqa/report";
import type { Question } from "@bertqa/squad";
import { expect, test } from "vitest";
import { analyse } from "../src/analysis/analyse.ts";
import { scoreSanitySet } from "../src/analysis/sanity.ts";
import { evaluateOptionsSchema } from "../src/options.ts";

const context = "Ada Brill built the mill in 1843 and sold it in 1851.";

function question(id: string, article: string, gold: string | null): Question {
  const answers = gold === null ? [] : [{ text: gold, startCodePoint: context.indexOf(gold) }];
  return { id, question: "?", context, answers, article, articleIndex: 0, paragraphIndex: 0 };
}

/** An evaluation of dev whose primary threshold is 0. */
function evaluationOfDev(): Evaluation {
  const dev = { questions: [question("d", "Dev", "1843")], bestSpans: { d: "1843" }, nullOdds: { d: -1 }, where: "" };
  return analyse(dev, null, evaluateOptionsSchema.parse({ bootstrapSamples: 10 })).evaluation;
}

test("scores come as a whole, in halves, and one a kind of difficulty in the order of the file", () => {
  const questions = [
    question("year", "Typos", "1843"),
    question("builder", "Typos", "Ada Brill"),
    question("buyer", "Negation", null),
    question("owner", "Negation", null),
  ];
  const set = {
    questions,
    // Right; half of the name, so precision 1, recall 1/2, F1 2/3; rightly no answer, as 1 > 0; an answer where there is none.
    bestSpans: { year: "1843", builder: "Brill", buyer: "Ada", owner: "Ada Brill" },
    nullOdds: { year: -1, builder: -1, buyer: 1, owner: -1 },
    where: "",
  };
  const { scores, results } = scoreSanitySet(set, evaluationOfDev());
  expect(scores.all).toEqual({
    exact: 50,
    f1: expect.closeTo((100 * (1 + 2 / 3 + 1 + 0)) / 4, 10) as number,
    total: 4,
    asked: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
  });
  const reworded = questions.map((each) => ({ ...each, question: "!" }));
  expect(scoreSanitySet({ ...set, questions: reworded }, evaluationOfDev()).scores.all.asked).not.toBe(
    scores.all.asked,
  );
  expect(scores.hasAns).toEqual({ exact: 50, f1: expect.closeTo((100 * (1 + 2 / 3)) / 2, 10) as number, total: 2 });
  expect(scores.noAns).toEqual({ exact: 50, f1: 50, total: 2 });
  expect(scores.kinds.map(({ label, exact, total }) => [label, exact, total])).toEqual([
    ["Typos", 50, 2],
    ["Negation", 50, 2],
  ]);
  expect(results.map(({ outcome }) => outcome)).toEqual(["right", "partial", "right", "should be no answer"]);
});

test("a half without questions has no score, and a question without a prediction is named", () => {
  const set = {
    questions: [question("q", "Typos", "1843")],
    bestSpans: { q: "" },
    nullOdds: { q: 5 },
    where: "predict",
  };
  expect(scoreSanitySet(set, evaluationOfDev()).scores).toMatchObject({ noAns: null, hasAns: { exact: 0, total: 1 } });
  expect(() => scoreSanitySet({ ...set, bestSpans: {} }, evaluationOfDev())).toThrow(
    'evaluate: 1 of 1 questions has no prediction: "q"',
  );
});
