import { questionsOf, SeededRandom } from "@bertqa/core";
import { expect, test } from "vitest";
import { sampleFile } from "../../evaluate/test/support/pipeline.ts";
import { compareSides, summarizeSet, type Run, type RunQuestion } from "../src/compare.ts";
import { comparisonLines, comparisonMarkdown, setCsv, setLines, setMarkdown } from "../src/print.ts";

const plan = { samples: 500, seed: 1 };

function run(name: string, exacts: readonly number[]): Run {
  const questions = exacts.map((exact, i): RunQuestion => {
    return {
      id: `q${i}`,
      article: `article ${i}`,
      answerable: true,
      prediction: exact ? "right" : `wrong in ${name}`,
      exact,
      f1: exact,
    };
  });
  return { name, threshold: "", questions };
}

test("two runs: difference, and the questions that flipped, both ways", () => {
  const { a, b, difference, gained, lost } = compareSides([run("A", [1, 1, 0, 0])], [run("B", [1, 0, 1, 1])], plan);
  expect([a.exact.mean, b.exact.mean, difference.exact.value]).toEqual([50, 75, 25]);
  expect(gained.map(({ id }) => id)).toEqual(["q2", "q3"]);
  expect(lost).toEqual([{ id: "q1", a: ["right"], b: ["wrong in B"] }]);
});

test("one id for two questions, as ids made of places have after a row was added: the question is left out, by its text", () => {
  const of = (name: string, exacts: number[], texts: string[]): Run => {
    const { questions, ...rest } = run(name, exacts);
    return { ...rest, questions: questions.map((question, i) => ({ ...question, asked: texts[i]! })) };
  };
  const before = of("A", [1, 1, 0], ["one", "two", "three"]);
  const { questions, leftOut, gained } = compareSides([before], [of("B", [1, 0, 1], ["one", "new", "three"])], plan);
  expect([questions, leftOut, gained.map(({ id }) => id)]).toEqual([2, 1, ["q2"]]);
  expect(compareSides([before], [run("predictions alone", [1, 1, 0])], plan).questions).toBe(3);
  const shifted = of("C", [1, 1, 1], ["new", "one", "two"]);
  expect(() => compareSides([before], [shifted], plan)).toThrow(
    /no question in common, of one id and text\. Give their/,
  );
});

test("B against A is A against B with the sign turned", () => {
  const random = new SeededRandom(8, "runs");
  const exacts = () => Array.from({ length: 60 }, () => random.integerBelow(2));
  const [a, b] = [run("A", exacts()), run("B", exacts())];
  const forth = compareSides([a], [b], plan);
  const back = compareSides([b], [a], plan);
  expect(back.difference.f1.value).toBeCloseTo(-forth.difference.f1.value, 12);
  const [low, high] = forth.difference.f1.interval ?? [NaN, NaN];
  expect(back.difference.f1.interval?.[0]).toBeCloseTo(-high, 12);
  expect(back.difference.f1.interval?.[1]).toBeCloseTo(-low, 12);
  expect(back.difference.f1.pValue).toBe(forth.difference.f1.pValue);
  expect(back.gained.map(({ id }) => id)).toEqual(forth.lost.map(({ id }) => id));
});

test("several seeds: mean and standard deviation with n − 1, flips by majority", () => {
  // 25 %, 50 % and 75 % right: mean 50, deviation √((25² + 0 + 25²) / 2) = 25.
  const side = [run("s1", [1, 0, 0, 0]), run("s2", [1, 1, 0, 0]), run("s3", [1, 1, 1, 0])];
  const { b, gained, lost } = compareSides([run("A", [0, 0, 0, 1])], side, plan);
  expect(b.exact).toEqual({ mean: 50, standardDeviation: 25, runs: [25, 50, 75] });
  expect(gained.map(({ id }) => id)).toEqual(["q0", "q1"]);
  expect(lost.map(({ id }) => id)).toEqual(["q3"]);
});

test("two sets: each question is averaged over its seeds before pairs are made, and whole articles are drawn", () => {
  const article = (i: number) => (i < 2 ? "one" : "two");
  const of = (name: string, exacts: number[]): Run => {
    return {
      ...run(name, exacts),
      questions: run(name, exacts).questions.map((q, i) => ({ ...q, article: article(i) })),
    };
  };
  // Means over the two seeds, by question: A 50 50 | 0 0, B 100 50 | 50 100. Differences 50 0 | 50 100: article one 25, article
  // two 75, together 50. Two articles give the draws {1,1}, {1,2}, {2,1}, {2,2} with means 25, 50, 50, 75, a quarter each: the
  // 2.5th and 97.5th percentiles are the outer ones. Without a difference, draws of mean − 50 are −25, 0, 0, 25: none reaches
  // 50, so p = (0 + 1) / (500 + 1).
  const a = [of("a1", [1, 0, 0, 0]), of("a2", [0, 1, 0, 0])];
  const b = [of("b1", [1, 1, 0, 1]), of("b2", [1, 0, 1, 1])];
  const { difference, articles } = compareSides(a, b, plan);
  expect(articles).toBe(2);
  expect(difference.exact).toEqual({ value: 50, interval: [25, 75], pValue: 1 / 501 });
});

test("a set: groups that differ in seeds alone have a mean and a deviation each", () => {
  const of = (name: string, exacts: number[], rate: number, seed: number): Run => {
    return {
      ...run(name, exacts),
      options: new Map([
        ["train.learningRate", rate],
        ["train.seed", seed],
      ]),
    };
  };
  // Rate 1: 25 % and 75 %, mean 50, deviation √((25² + 25²) / 1) = 35.36. Rate 2: 50 % alone.
  const runs = [of("s1", [1, 0, 0, 0], 1, 1), of("s2", [1, 1, 1, 0], 1, 2), of("s3", [1, 1, 0, 0], 2, 1)];
  const set = summarizeSet(runs);
  expect(set).toMatchObject({ options: ["train.learningRate"], questions: 4, articles: 4 });
  expect(set.groups.map(({ values, names, exact }) => [values, names, exact.mean])).toEqual([
    [[1], ["s1", "s2"], 50],
    [[2], ["s3"], 50],
  ]);
  expect(set.groups[0]?.exact.standardDeviation).toBeCloseTo(35.3553, 4);
  expect(setLines(set).slice(2)).toEqual([
    "train.learningRate  exact                   F1                      F1, answerable          runs",
    "1                   50.00 ± 35.36 (2 runs)  50.00 ± 35.36 (2 runs)  50.00 ± 35.36 (2 runs)  s1, s2",
    "2                   50.00                   50.00                   50.00                   s3",
  ]);
  expect(setMarkdown(set)).toContain("| 50.00 ± 35.36 \\(2 runs\\) |");
  // As one side of a comparison they are not seeds of one recipe, and that is said.
  const comparison = compareSides([run("A", [1, 0, 0, 0])], runs, plan);
  expect(comparisonLines(comparison, new Map(), 0)).toContain(
    "The runs of B differ in train.learningRate: ± is not of seeds alone.",
  );
});

test("a curve: sizes in the order of their numbers, F1 of the answerable questions, minutes of training, and CSV", () => {
  const of = (size: number, exacts: number[], minutes?: number): Run => ({
    name: `curve-${size}`,
    threshold: "",
    // The last question has no answer.
    questions: run("", exacts).questions.map((question, i) => ({ ...question, answerable: i < 3 })),
    options: new Map<string, unknown>([["fetch.dataset.train.draw.questions", size]]),
    ...(minutes !== undefined && { trainingMinutes: minutes }),
  });
  const set = summarizeSet([of(1000, [1, 1, 0, 0], 12.34), of(300, [1, 0, 0, 1])]);
  expect(setLines(set).slice(2)).toEqual([
    "fetch.dataset.train.draw.questions  exact  F1     F1, answerable  training, min  runs",
    "300                                 50.00  50.00  33.33           –              curve-300",
    "1000                                50.00  50.00  66.67           12.3           curve-1000",
  ]);
  expect(setCsv(set).split("\n")).toEqual([
    "fetch.dataset.train.draw.questions,exact,exact_deviation,f1,f1_deviation,answerable_f1,answerable_f1_deviation,training_minutes,runs",
    "300,50.00,,50.00,,33.33,,,curve-300",
    "1000,50.00,,50.00,,66.67,,12.3,curve-1000",
    "",
  ]);
});

test("a run against itself differs in nothing", () => {
  const same = run("A", [1, 0, 1]);
  const { difference, gained, lost } = compareSides([same], [same], plan);
  expect(difference.exact).toEqual({ value: 0, interval: [0, 0], pValue: 1 });
  expect([gained, lost]).toEqual([[], []]);
});

test("scores of one sanity set are shown beside the comparison, as means over a side's runs; of two sets they are not", () => {
  const withSet = (exact: number, total = 100, asked = "set"): Run => ({
    ...run("R", [1, 0]),
    sanity: { exact, f1: exact + 2, total, asked },
  });
  // B's runs have 50 and 60: mean 55.
  const comparison = compareSides([withSet(40)], [withSet(50), withSet(60)], plan);
  const line = "sanity set, 100 questions: exact 40.00 → 55.00, F1 42.00 → 57.00 (no interval)";
  expect(comparisonLines(comparison, new Map(), 5)).toContain(line);
  expect(comparisonMarkdown(comparison, new Map(), 5)).toContain(`\n\n${line}\n\n`);
  expect(compareSides([withSet(40)], [withSet(50), withSet(60, 90)], plan).sanity).toBeUndefined();
  expect(compareSides([withSet(40)], [withSet(50), withSet(60, 100, "another")], plan).sanity).toBeUndefined();
  expect(compareSides([withSet(40)], [run("B", [1, 0])], plan).sanity).toBeUndefined();
});

test("only questions that all runs have are compared, and the others counted; none in common is refused", () => {
  const shorter = { name: "B", threshold: "", questions: run("B", [1, 1, 1]).questions.slice(1) };
  expect(compareSides([run("A", [1, 0, 1])], [shorter], plan)).toMatchObject({ questions: 2, leftOut: 1 });
  expect(() => compareSides([run("A", [1])], [{ name: "B", threshold: "", questions: [] }], plan)).toThrow(
    /no question in common/,
  );
});

test("a chance that the resamples hardly show is not printed as 0", () => {
  // 40 articles that all gain: p = 1 / (10,000 + 1), whose third decimal is a 0.
  const sides = [[run("A", Array<number>(40).fill(0))], [run("B", Array<number>(40).fill(1))]] as const;
  const comparison = compareSides(...sides, { samples: 10_000, seed: 1 });
  expect(comparisonLines(comparison, new Map(), 0).join("\n")).toMatch(/^exact .*, p < 0\.001\)$/m);
  expect(comparisonMarkdown(comparison, new Map(), 0)).toContain("| +100.00 to +100.00 | < 0.001 |");
});

test("flipped questions show with their text, gold answers and both predictions", () => {
  const [question] = questionsOf(sampleFile("dev"));
  if (!question) throw new Error("no question");
  const single = (exact: number, prediction: string): Run => {
    return {
      name: "run",
      threshold: "",
      questions: [{ id: question.id, answerable: true, article: "one", prediction, exact, f1: exact }],
    };
  };
  const comparison = compareSides([single(0, "")], [single(1, "Cremona")], plan);
  const lines = comparisonLines(comparison, new Map([[question.id, question]]), 5);
  expect(lines).toContain(`  ${question.id}: ${question.question}`);
  expect(lines.join("\n")).toContain(`A no answer · B "Cremona" · gold "${question.answers[0]?.text}"`);
  expect(comparisonLines(comparison, new Map(), 0)).toContain("  and 1 more");
});

test("Markdown has both sides, the difference, and flipped questions whose text cannot be markup", () => {
  const questions = run("", [0, 1]).questions.map((question) => ({ ...question, article: "one" }));
  const before: Run = { name: "[a](x)", threshold: "tuned 0.50", questions };
  const now: Run = { name: "b", threshold: "zero 0.00", questions: questions.map((q) => ({ ...q, exact: 1, f1: 1 })) };
  const known = { id: "q0", question: "What is <b>?", article: "one", answers: [{ text: "*x*" }] };
  const text = comparisonMarkdown(compareSides([before], [now], plan), new Map([["q0", known]]), 5);
  expect(text).toContain("before: \\[a\\]\\(x\\) \\(threshold tuned 0.50\\)");
  expect(text).toContain("| exact | 50.00 | 100.00 | ▲ +50.00 | – | – |");
  expect(text).toContain("There is no interval, as all questions are of one article.");
  expect(text).toContain('- q0: What is \\<b\\>?: before "wrong in " · now "wrong in " · gold "\\*x\\*"');
});

test("what a question, an id, an answer or a name holds cannot command the terminal, nor begin a line", () => {
  // ESC ] sets a window's title, U+009B is ESC [ in one character, U+202E turns the direction of what follows.
  const hostile = "a\u001b]0;owned\u0007\u009b2J\u202e\u2028b";
  const side = (exact: number): Run => ({
    ...run(hostile, []),
    options: new Map([["train.note", `${hostile}${exact}`]]),
    questions: [{ id: hostile, answerable: true, article: "one", prediction: hostile, exact, f1: exact }],
  });
  const known = { id: hostile, question: `Who\n${hostile}?`, article: "one", answers: [{ text: hostile }] };
  const comparison = compareSides([side(0)], [side(1)], plan);
  const questions = new Map([[hostile, known]]);
  const set = summarizeSet([side(0), side(1)]);
  const texts = [
    ...comparisonLines(comparison, questions, 5),
    ...setLines(set),
    ...comparisonMarkdown(comparison, questions, 5).split("\n"),
    ...setMarkdown(set).split("\n"),
  ];
  expect(texts.filter((text) => /[\p{Cc}\u2028-\u202e]/u.test(text))).toEqual([]);
  expect(texts[texts.indexOf("wrong → right: 1 question") + 1]).toMatch(/^ {2}a\\x1b\]0;owned.*: Who a\\x1b.*\?$/);
});
