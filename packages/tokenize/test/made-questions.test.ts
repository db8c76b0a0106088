import { openWindows, questionsOf, silentReporter, squadFileSchema, type Question } from "@bertqa/core";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { madeUnanswerable, withMade } from "../src/made-questions/made-questions.ts";
import { tokenizeOptionsSchema, tokenizeStage } from "../src/index.ts";
import { runIn } from "../../../test/support/run-stage.ts";
import { pipelineWith, readQuestions, readWindows, sampleCorpus, squadFile } from "./helpers.ts";

function article(
  title: string,
  articleIndex: number,
  passages: readonly { context: string; qas: [string, string?][] }[],
) {
  return passages.flatMap(({ context, qas }, paragraphIndex) =>
    qas.map(([question, answer], i): Question => ({
      id: `${articleIndex}-${paragraphIndex}-${i}`,
      question,
      context,
      answers: answer === undefined ? [] : [{ text: answer, startCodePoint: context.indexOf(answer) }],
      article: title,
      articleIndex,
      paragraphIndex,
    })),
  );
}

const rivers = article("Rivers", 0, [
  {
    context: "The old bridge over the Wend was built by Ada Moor in 1820, and it was widened in 1904.",
    qas: [
      ["Who built the old bridge over the Wend?", "Ada Moor"],
      ["What happened to the bridge in 1904?", "widened"],
    ],
  },
  {
    context: "The ferry over the Tarn was replaced by a stone bridge in 1755. It was built by Piet Holl.",
    qas: [
      ["Who built the stone bridge over the Tarn?", "Piet Holl"],
      ["When was the ferry over the Tarn replaced?", "1755"],
    ],
  },
]);

function madeFrom(...parameters: Parameters<typeof madeUnanswerable>): Question[] {
  return madeUnanswerable(...parameters).made;
}

test("a name is swapped for another passage's, and the old answer becomes the plausible one", () => {
  const swapped = madeFrom(rivers, { share: 0.5, seed: 1 }).filter(({ id }) => id.endsWith("#swapped"));
  expect(swapped.length).toBeGreaterThan(0);
  for (const { id, question, context, answers, plausibleAnswers } of swapped) {
    const source = rivers.find((each) => id === `${each.id}#swapped`)!;
    expect(answers).toEqual([]);
    expect(plausibleAnswers).toEqual([source.answers[0]]);
    expect(context).toBe(source.context);
    const [put] = question
      .match(/Wend|Tarn|Ada Moor|Piet Holl|\d{4}/g)!
      .filter((word) => !source.question.includes(word));
    expect(rivers.some((each) => each.context.includes(put!))).toBe(true);
    expect(context).not.toContain(put);
  }
});

test("a moved question stands on the passage of its article that shares most words, which holds its answer nowhere", () => {
  const more = article("Rivers", 0, [
    { context: "Fish swim upstream in spring.", qas: [["When do fish swim upstream?", "spring"]] },
  ]);
  const questions = [...rivers, ...more.map((question) => ({ ...question, id: "fish", paragraphIndex: 2 }))];
  const moved = madeFrom(questions, { share: 0.8, seed: 1 }).filter(({ id }) => id.endsWith("#moved"));
  const builder = moved.find(({ id }) => id === "0-0-0#moved")!;
  expect(builder.question).toBe("Who built the old bridge over the Wend?");
  expect(builder.context).toBe(rivers[2]!.context);
  expect(builder.answers).toEqual([]);
  expect("plausibleAnswers" in builder).toBe(false);
});

test("a question is not moved to a passage that holds another of its answers", () => {
  const tower = article("Tower", 0, [
    { context: "The iron tower was built by Gustave Eiffel.", qas: [["Who built the iron tower?", "Gustave Eiffel"]] },
    { context: "The builder of the iron tower was Eiffel.", qas: [["What material is the tower of?", "iron"]] },
    { context: "A tower of bricks was built by Ada.", qas: [["What was built by Ada?", "A tower of bricks"]] },
  ]);
  const [builder, ...others] = tower;
  const answers = [...builder!.answers, { text: "Eiffel", startCodePoint: 36 }];
  const made = madeFrom([{ ...builder!, answers }, ...others], { share: 0.8, seed: 1 });
  expect(made.find(({ id }) => id === "0-0-0#moved")!.context).toBe("A tower of bricks was built by Ada.");
});

test("one list of questions asked of every form: none is made that its passage is asked already, in whatever wording of marks", () => {
  const firms = ["Acme", "Globex", "Initech", "Umbrella", "Hooli", "Stark"];
  const states = ["Ohio", "Texas", "Maine", "Utah", "Iowa", "Nevada"];
  const forms = firms.flatMap((firm, i) =>
    article(`Form ${i}`, i, [
      {
        context: `The agreement with ${firm} is governed by the law of ${states[i]}. It ends on ${i + 3} March.`,
        qas: [
          [i % 2 === 0 ? "By which law is it governed?" : "by which law, is it governed", states[i]!],
          [`When does the agreement with ${firm} end?`, `${i + 3} March`],
        ],
      },
    ]),
  );
  const made = madeFrom(forms, { share: 0.5, seed: 1 });
  expect(made.length).toBeGreaterThan(0);
  expect(made.filter(({ question }) => question.includes("governed"))).toEqual([]);
  // Nor is one moved twice to the only passage there is for it.
  const plain = article("Rivers", 0, [
    { context: "The bridge is of stone.", qas: ["a", "b"].map(() => ["What is the bridge of?", "stone"]) },
    { context: "The bridge fell.", qas: [["What fell?", "bridge"]] },
    { context: "Fish swim.", qas: [["What swims?", "Fish"]] },
  ]);
  const moved = madeFrom(plain, { share: 0.8, seed: 1 }).filter(({ id }) => id.endsWith("#moved"));
  expect(moved.length).toBeGreaterThan(0);
  expect(new Set(moved.map(({ question, context }) => question + context)).size).toBe(moved.length);
});

test("articles that have the share stay as they are, and the share is met where there is enough to make it of", () => {
  const full = article("Full", 1, [{ context: "A b c.", qas: [["What?", "b"], ["Who?"], ["Why?"]] }]);
  const made = madeFrom([...rivers, ...full], { share: 0.5, seed: 1 });
  expect(made.every((question) => question.article === "Rivers")).toBe(true);
  expect(made).toHaveLength(4);
  expect(madeFrom([...rivers, ...full], { share: 0, seed: 1 })).toEqual([]);
});

test("the sample: every made question differs from its source in the question or in the passage, and none can name its answer", () => {
  const questions = readQuestions(sampleCorpus("train"));
  const byId = new Map(questions.map((question) => [question.id, question]));
  const made = madeFrom(questions, { share: 0.5, seed: 42 });
  expect(made.length).toBeGreaterThan(100);
  expect(new Set(made.map(({ id }) => id)).size).toBe(made.length);
  for (const { id, question, context } of made) {
    const source = byId.get(id.split("#")[0]!)!;
    expect([question, context]).not.toEqual([source.question, source.context]);
    if (!id.endsWith("#moved")) continue;
    for (const { text } of source.answers) expect(context.toLowerCase()).not.toContain(text.toLowerCase());
  }
  expect(madeFrom(questions, { share: 0.5, seed: 42 })).toEqual(made);
});

test("articles of one passage borrow from each other: without its titles, the sample gets as many made questions", () => {
  const titled = readQuestions(sampleCorpus("train")).filter(({ answers }) => answers.length > 0);
  const contexts = [...new Set(titled.map(({ context }) => context))];
  const untitled = titled.map((question): Question => {
    const articleIndex = contexts.indexOf(question.context);
    return { ...question, article: `article-${articleIndex}`, articleIndex, paragraphIndex: 0 };
  });
  // 0.33 n / 0.67 of the n answerable questions, rounded once, not for each article.
  const wanted = Math.round((0.33 * titled.length) / 0.67);
  const { made, ...rest } = madeUnanswerable(untitled, { share: 0.33, seed: 42 });
  expect({ made: made.length, ...rest }).toEqual({ made: wanted, wanted });
  expect(new Set(made.map(({ article }) => article)).size).toBeGreaterThan(50);
});

test("an article of one passage beside others of many takes nothing from them", () => {
  const alone = article("Alone", 1, [{ context: "A bridge of 1820.", qas: [["What is of 1820?", "A bridge"]] }]);
  const { made, wanted } = madeUnanswerable([...rivers, ...alone], { share: 0.5, seed: 1 });
  expect(made.filter((question) => question.article !== "Rivers")).toEqual([]);
  expect(wanted).toBe(made.length + 1);
});

test("made questions stand behind those of their passage", () => {
  const made = madeFrom(rivers, { share: 0.5, seed: 1 });
  const all = withMade(rivers, made);
  expect(all).toHaveLength(rivers.length + made.length);
  const passages = all.map(({ paragraphIndex }) => paragraphIndex);
  expect(passages).toEqual(passages.toSorted((a, b) => a - b));
});

test("the stage says and counts what could not be made: one passage has nothing to borrow", async () => {
  const dev = squadFile(sampleCorpus("dev"));
  const train = { version: "v2.0", data: [{ title: "One", paragraphs: [dev.data[0]!.paragraphs[0]!] }] };
  const folders = await pipelineWith({ train, dev });
  const lines: string[] = [];
  const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
  const options = tokenizeOptionsSchema.parse({ madeUnanswerableShare: 0.9 });
  const { manifest } = await runIn(tokenizeStage, options, folders, reporter);
  const missing = manifest.counts["train.madeUnanswerableMissing"]!;
  expect(missing).toBeGreaterThan(0);
  expect(lines.join("\n")).toContain(`warning: that is ${missing} fewer than madeUnanswerableShare wants`);
});

test("the stage writes them as a SQuAD file, and has their windows in train alone", async () => {
  const folders = await pipelineWith({ train: squadFile(sampleCorpus("train")), dev: squadFile(sampleCorpus("dev")) });
  const options = tokenizeOptionsSchema.parse({ madeUnanswerableShare: 0.5 });
  const { folder, manifest } = await runIn(tokenizeStage, options, folders);
  const file = squadFileSchema.parse(JSON.parse(await readFile(join(folder, "made-questions.json"), "utf8")));
  const made = questionsOf(file);
  expect(manifest.counts["train.madeUnanswerable"]).toBe(made.length);
  const windows = await openWindows("test", folder);
  const idsIn = async (split: "train" | "tune" | "dev") =>
    new Set((await readWindows(windows, split)).map(({ id }) => id).filter((id) => id.includes("#")));
  expect(await idsIn("train")).toEqual(new Set(made.map(({ id }) => id)));
  expect([...(await idsIn("tune")), ...(await idsIn("dev"))]).toEqual([]);
  for (const { plausibleAnswers = [], context } of made) {
    for (const { text, startCodePoint } of plausibleAnswers) {
      expect([...context].slice(startCodePoint!, startCodePoint! + [...text].length).join("")).toBe(text);
    }
  }
});
