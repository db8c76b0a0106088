import { questionsOf, SeededRandom, type Question } from "@bertqa/core";
import { expect, test } from "vitest";
import { analyse } from "../src/analysis/analyse.ts";
import type { AnsweredSplit } from "../src/analysis/results.ts";
import { breakDown } from "../src/analysis/breakdowns.ts";
import { officialScores } from "../src/official-scores.ts";
import { evaluateOptionsSchema } from "../src/options.ts";
import type { ThresholdKind } from "@bertqa/core";
import type { Evaluation } from "@bertqa/report";
import { madeUpAnswers, sampleFile } from "./support/pipeline.ts";

const options = evaluateOptionsSchema.parse({ bootstrapSamples: 100 });
const devQuestions = questionsOf(sampleFile("dev"));
const tuneQuestions = questionsOf(sampleFile("train")).filter(({ articleIndex }) => articleIndex < 5);
const dev: AnsweredSplit = { questions: devQuestions, ...madeUpAnswers(devQuestions, 1), where: "predict" };
const tune: AnsweredSplit = { questions: tuneQuestions, ...madeUpAnswers(tuneQuestions, 2), where: "predict" };
const { evaluation, results } = analyse(dev, tune, options);

const rowOf = (found: Evaluation, kind: ThresholdKind) => {
  const row = found.scores.find((score) => score.kind === kind);
  if (!row) throw new Error(`no row "${kind}"`);
  return row;
};

test("threshold and calibration never look at dev: other answers to dev's questions leave both unchanged", () => {
  // Dev's labels dealt anew: each question gets the gold answers of another.
  const dealt = new SeededRandom(9, "labels").shuffled(devQuestions.map(({ answers }) => answers));
  const questions = devQuestions.map((question, i) => ({ ...question, answers: dealt[i] as Question["answers"] }));
  const { evaluation: other, results: otherResults } = analyse({ ...dev, questions }, tune, options);
  expect(other.scores).not.toEqual(evaluation.scores);
  expect(rowOf(other, "tuned").nullOddsThreshold).toBe(rowOf(evaluation, "tuned").nullOddsThreshold);
  expect(other.noAnswer.calibration).toEqual(evaluation.noAnswer.calibration);
  const predictionsOf = (all: typeof results) => all.map(({ prediction }) => prediction);
  expect(predictionsOf(otherResults)).toEqual(predictionsOf(results));
});

test("what is asked is told by question and passage, whatever the id and the answers", () => {
  const askedOf = (change: (question: Question) => Partial<Question>) => {
    const questions = devQuestions.map((question) => ({ ...question, ...change(question) }));
    return analyse({ ...dev, questions }, tune, options).results.map(({ asked }) => asked);
  };
  expect(new Set(results.map(({ asked }) => asked)).size).toBe(devQuestions.length);
  expect(askedOf(() => ({ answers: [] }))).toEqual(results.map(({ asked }) => asked));
  const others = [
    askedOf(({ question }) => ({ question: `${question} ` })),
    askedOf(({ context }) => ({ context: `${context} ` })),
  ];
  for (const other of others) other.forEach((asked, i) => expect(asked).not.toBe(results[i]?.asked));
});

test.each([0.48, "estimate"] as const)(
  "nor does it with expectedNoAnswerShare %s, where the threshold is another than that of the held-out share",
  (expectedNoAnswerShare) => {
    const weighted = { ...options, expectedNoAnswerShare };
    const { evaluation: one } = analyse(dev, tune, weighted);
    // Every answer taken away, and every question given the first word of its passage as answer.
    const without = devQuestions.map((question) => ({ ...question, answers: [] }));
    const withOne = devQuestions.map((question) => ({
      ...question,
      answers: [{ text: question.context.split(" ")[0] as string, startCodePoint: 0 }],
    }));
    for (const questions of [without, withOne]) {
      const { evaluation: other } = analyse({ ...dev, questions }, tune, weighted);
      expect(other.scores.map(({ all }) => all)).not.toEqual(one.scores.map(({ all }) => all));
      expect(rowOf(other, "tuned").nullOddsThreshold).toBe(rowOf(one, "tuned").nullOddsThreshold);
      expect(other.noAnswer.calibration).toEqual(one.noAnswer.calibration);
      expect(other.noAnswer.share).toEqual(one.noAnswer.share);
    }
    expect(one.noAnswer.calibration).not.toEqual(evaluation.noAnswer.calibration);
    expect(one.noAnswer.share.rule).toBe(expectedNoAnswerShare === "estimate" ? "estimated" : "stated");
    expect(rowOf(one, "tuned").label).toMatch(/^tuned on held-out for \d+ % without answer, bagged$/);
    expect(one.remarks.join(" ")).toMatch(/Threshold and calibration are made for \d+ % .* among the held-out .* 33 %/);
  },
);

test("the plain rule and the bagged one each have their name, and the seed moves the bagged one alone", () => {
  const tunedAt = (changed: object) => rowOf(analyse(dev, tune, { ...options, ...changed }).evaluation, "tuned");
  const bagged = tunedAt({});
  expect(bagged).toMatchObject({ label: "tuned on held-out, bagged", rule: "bagged" });
  const best = tunedAt({ thresholdRule: "best" });
  expect(best).toMatchObject({ label: "tuned on held-out, best F1", rule: "best" });
  expect(tunedAt({ thresholdRule: "best", seed: 7 }).nullOddsThreshold).toBe(best.nullOddsThreshold);
  const other = tunedAt({ seed: 7 }).nullOddsThreshold;
  expect(other).not.toBe(bagged.nullOddsThreshold);
  expect(other).toBeCloseTo(bagged.nullOddsThreshold as number, 1);
});

test("nor do other predictions on dev move them", () => {
  const { evaluation: other } = analyse({ ...dev, ...madeUpAnswers(devQuestions, 77) }, tune, options);
  expect(rowOf(other, "tuned").nullOddsThreshold).toBe(rowOf(evaluation, "tuned").nullOddsThreshold);
});

test("each row says where its threshold came from; dev's own best are called optimistic and are never beaten", () => {
  expect(evaluation.scores.map(({ kind, chosenOn }) => [kind, chosenOn])).toEqual([
    ["zero", "nothing"],
    ["tuned", "tune"],
    ["bestExactOnDev", "dev"],
    ["bestF1OnDev", "dev"],
  ]);
  expect(rowOf(evaluation, "bestF1OnDev").label).toMatch(/optimistic/);
  const bestF1 = rowOf(evaluation, "bestF1OnDev").all.f1.value;
  for (const row of evaluation.scores) expect(row.all.f1.value).toBeLessThanOrEqual(bestF1 + 1e-9);
});

test("without a tune split the report says so, and 0 is the threshold in use", () => {
  const { evaluation: alone } = analyse(dev, null, options);
  expect(alone.primary).toBe("zero");
  expect(alone.scores.map(({ kind }) => kind)).toEqual(["zero", "bestExactOnDev", "bestF1OnDev"]);
  expect(alone.noAnswer.calibration).toEqual({ method: "none", slope: 1, intercept: 0, fittedOn: "nothing" });
  expect(alone.remarks.join(" ")).toMatch(/no questions were held out/);
  expect(evaluation.remarks.join(" ")).toMatch(/6 articles only, which is few/);
});

test("too few held-out questions, or all of one kind, choose nothing, and that is said", () => {
  const part = (questions: readonly Question[]) => analyse(dev, { ...tune, questions }, options).evaluation;
  const answerable = tuneQuestions.filter(({ answers }) => answers.length > 0);
  for (const [questions, said] of [
    [
      tuneQuestions.slice(0, 29),
      /the threshold is 0, as the 29 questions held out of training \(\d+ with an answer, \d+ without\) are too few\./,
    ],
    [
      answerable,
      new RegExp(
        `as the ${answerable.length} questions .* \\(${answerable.length} with an answer, 0 without\\) are of one kind\\.`,
      ),
    ],
  ] as const) {
    expect(part(questions).primary).toBe("zero");
    expect(part(questions).noAnswer.calibration.fittedOn).toBe("nothing");
    expect(part(questions).remarks.join(" ")).toMatch(said);
  }
});

test.each([
  ["many held-out questions", tune],
  ["none", null],
])("where an answer is always given, the best span is what is scored, with %s", (_, heldOut) => {
  const always = analyse(dev, heldOut, options, false);
  const official = officialScores(dev, dev.bestSpans);
  expect(always.evaluation.scores.map(({ label, nullOddsThreshold }) => [label, nullOddsThreshold])).toEqual([
    ["always answers", null],
  ]);
  expect(always.evaluation.primary).toBe("always");
  expect(rowOf(always.evaluation, "always").all.exact.value).toBeCloseTo(official["exact"] as number, 9);
  expect(rowOf(always.evaluation, "always").all.f1.value).toBeCloseTo(official["f1"] as number, 9);
  for (const { prediction, bestSpan, noAnswerProbability } of always.results) {
    expect([prediction, noAnswerProbability]).toEqual([bestSpan, 0]);
  }
  expect(always.evaluation.noAnswer).toMatchObject({ calibration: { fittedOn: "nothing" }, reliability: [] });
  expect(always.evaluation.thresholdSweep).toEqual([]);
  expect(always.evaluation.remarks.join(" ")).toMatch(
    /no threshold, .* as an answer is always given \(noAnswer in predict.json\)/,
  );
  expect(always.evaluation.remarks.join(" ")).not.toMatch(/held out|best on dev/);
});

test("a held-out question without a span, and dev questions without one, move neither share, threshold nor calibration", () => {
  const [first] = tuneQuestions as [Question];
  const lost = { ...first, id: "lost", answers: [] };
  const withLost = (split: AnsweredSplit, question: Question): AnsweredSplit => ({
    ...split,
    questions: [...split.questions, question],
    bestSpans: { ...split.bestSpans, [question.id]: "" },
    nullOdds: { ...split.nullOdds, [question.id]: 1000 },
  });
  for (const expectedNoAnswerShare of ["tune", "estimate"] as const) {
    const wanted = { ...options, expectedNoAnswerShare };
    const one = analyse(dev, tune, wanted);
    const other = analyse(withLost(dev, lost), withLost(tune, lost), wanted);
    expect(other.evaluation.noAnswer.calibration).toEqual(one.evaluation.noAnswer.calibration);
    expect(other.evaluation.noAnswer.share).toEqual(one.evaluation.noAnswer.share);
    expect(rowOf(other.evaluation, "tuned").nullOddsThreshold).toBe(rowOf(one.evaluation, "tuned").nullOddsThreshold);
    expect(other.tuneQuestions).toEqual(tuneQuestions);
    expect(other.evaluation.counts.tuneQuestions).toBe(tuneQuestions.length);
    expect(other.evaluation.remarks).toContain(
      "1 held-out question without a span to give took no part in the choice of threshold and calibration.",
    );
    expect(other.results.at(-1)).toMatchObject({ id: "lost", outcome: "right", noAnswerProbability: 1 });
  }
});

test("where too few held-out questions have a span, that is why no threshold was chosen, and none took part", () => {
  const questions = tuneQuestions.slice(0, 40);
  const lost = questions.slice(0, 12).map(({ id }) => [id, ""]);
  const few = { ...tune, questions, bestSpans: { ...tune.bestSpans, ...Object.fromEntries(lost) } };
  const { primary, remarks } = analyse(dev, few, options).evaluation;
  expect(primary).toBe("zero");
  expect(remarks.join(" ")).toMatch(
    /as the 28 questions with a span to give, of 40 held out of training \(\d+ with an answer, \d+ without\) are too few\./,
  );
  expect(remarks.join(" ")).not.toContain("took no part");
});

test("every number follows from the questions' own results", () => {
  const { scores, neverAnswering, counts } = evaluation;
  const mean = (values: readonly number[]) => (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;
  const primary = scores.find(({ kind }) => kind === evaluation.primary);
  expect(primary?.all.exact.value).toBeCloseTo(mean(results.map(({ exact }) => exact)), 9);
  expect(primary?.hasAns?.f1.value).toBeCloseTo(mean(results.filter((q) => q.answerable).map(({ f1 }) => f1)), 9);
  expect(neverAnswering.all.exact).toBeCloseTo(mean(results.map(({ answerable }) => (answerable ? 0 : 1))), 9);
  expect(results.map(({ id }) => id)).toEqual(devQuestions.map(({ id }) => id));
  for (const { by, groups } of evaluation.breakdowns) {
    expect(
      groups.reduce((sum, { total }) => sum + total, 0),
      by,
    ).toBe(counts.questions);
    const sum = groups.reduce((so, { total, f1 }) => so + total * f1, 0);
    expect(sum / counts.questions, by).toBeCloseTo(primary?.all.f1.value as number, 9);
  }
  for (const { value, interval } of scores.map(({ all }) => all.f1)) {
    const [low, high] = interval ?? [NaN, NaN];
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
});

test("entries with one title are one article, and from one article there is no interval", () => {
  // Both entries have the title of the first: 42 questions, 1 article.
  const [first] = devQuestions;
  const questions = devQuestions
    .filter(({ articleIndex }) => articleIndex < 2)
    .map((question) => ({ ...question, article: (first as Question).article }));
  const { evaluation: one } = analyse({ ...dev, questions }, tune, options);
  expect(one.counts).toMatchObject({ questions: 42, articles: 1 });
  expect(rowOf(one, "zero").all.f1.interval).toBeNull();
  expect(one.remarks.join(" ")).toMatch(/of 1 article, so there are no intervals/);
});

test("scores.json agrees with the rows: threshold 0, and the best on dev", () => {
  const zero = Object.fromEntries(
    devQuestions.map(({ id }) => [id, (dev.nullOdds[id] as number) > 0 ? "" : (dev.bestSpans[id] as string)]),
  );
  const scores = officialScores(dev, zero);
  expect(Object.keys(scores)).toEqual([
    ...["exact", "f1", "total", "HasAns_exact", "HasAns_f1", "HasAns_total", "NoAns_exact", "NoAns_f1", "NoAns_total"],
    ...["best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh", "pr_exact_ap", "pr_f1_ap", "pr_oracle_ap"],
  ]);
  expect(scores["f1"]).toBeCloseTo(rowOf(evaluation, "zero").all.f1.value, 9);
  expect(scores["best_f1"]).toBeCloseTo(rowOf(evaluation, "bestF1OnDev").all.f1.value, 9);
  expect(scores["best_exact"]).toBeCloseTo(rowOf(evaluation, "bestExactOnDev").all.exact.value, 9);
});

test("a question without a prediction is named", () => {
  const [first, ...rest] = Object.entries(dev.bestSpans);
  const cut = { ...dev, bestSpans: Object.fromEntries(rest) };
  expect(() => analyse(cut, tune, options)).toThrow(`1 of 365 questions has no prediction: "${first?.[0]}"`);
});

test("questions are sorted by question word, by the shortest answer's length and by the passage's length", () => {
  const question = (text: string, answers: readonly string[], contextWords: number) => ({
    question: {
      ...(devQuestions[0] as Question),
      question: text,
      answers: answers.map((answer) => ({ text: answer, startCodePoint: 0 })),
      context: "word ".repeat(contextWords),
    },
    exact: 1,
    f1: 1,
  });
  const breakdowns = breakDown([
    question("In what year did Whoever rule?", ["in the year 1066", "1066"], 99),
    question("How many wives had he, and who were they?", ["six"], 100),
    question("Whose was it?", [], 300),
    question("Name the river.", ["a b c", "d e f g h"], 200),
  ]);
  const labels = (by: string) => breakdowns.find((found) => found.by === by)?.groups.map(({ label }) => label);
  expect(labels("question word")).toEqual(["how many", "other", "what", "who"]);
  expect(labels("answer length")).toEqual(["no answer", "1 word", "3–4 words"]);
  expect(labels("context length")).toEqual(["under 100 words", "100–149 words", "200–299 words", "300 words or more"]);
  expect(labels("answerability")).toEqual(["answerable", "unanswerable"]);
});
