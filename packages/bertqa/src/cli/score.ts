import {
  asRecord,
  BertqaError,
  countOf,
  parseDataJson,
  questionsOf,
  readRows,
  rowsOfArticles,
  scoreQuestions,
  summarize,
  summarizeProblems,
  type Question,
} from "@bertqa/squad";
import { loadModel, type ModelFlags } from "./ask.ts";
import { readInput } from "./input.ts";
import { describeProcessor } from "./processor.ts";

/** `bertqa score`: the official metric on a SQuAD file. */
export async function score({ data, ...flags }: ModelFlags & { readonly data: string }): Promise<void> {
  const questions = (await readQuestions(data)).filter(({ isUnlabelled }) => isUnlabelled !== true);
  if (questions.length === 0) throw new BertqaError("score", "no question of the data has answers", { where: data });
  const qa = await loadModel(flags);
  try {
    const startedMs = performance.now();
    const answers = await qa.answerAll(questions, { onProgress: progressOn(process.stderr) });
    const seconds = (performance.now() - startedMs) / 1000;
    const answerOf = new Map(questions.map(({ id }, i) => [id, answers[i]!.answer]));
    const scores = summarize(scoreQuestions(questions, (id) => answerOf.get(id)).questions);
    const windows = answers.reduce((sum, { windowCount }) => sum + windowCount, 0);
    const rate = `${(questions.length / seconds).toFixed(1)} questions/s`;
    const read = `${countOf(questions.length, "question")}, ${countOf(windows, "window")}`;
    process.stderr.write(`${read} in ${seconds.toFixed(1)} s: ${rate}\n`);
    const processor = await describeProcessor();
    const { precision, runtime } = qa;
    const nullOddsThreshold = qa.decision.threshold.nullOdds;
    const record = { precision, runtime, processor, nullOddsThreshold, questionsPerSecond: questions.length / seconds };
    process.stdout.write(`${JSON.stringify({ ...scores, ...record }, null, 2)}\n`);
  } finally {
    await qa.dispose();
  }
}

/** Reads articles as leniently as fetch reads dev files, and says what was left out or read otherwise. */
async function readQuestions(file: string): Promise<Question[]> {
  const where = { where: file, remedy: "Give a SQuAD file, or make one of another format: npx bertqa import --as dev" };
  let value: unknown;
  try {
    value = parseDataJson(await readInput(file, "the data"));
  } catch (cause) {
    if (cause instanceof BertqaError) throw cause;
    throw new BertqaError("score", `the data is not valid JSON: ${(cause as Error).message}`, { ...where, cause });
  }
  const articles = Array.isArray(value) ? value : asRecord(value)["data"];
  if (!Array.isArray(articles) || !articles.some((article) => "paragraphs" in asRecord(article))) {
    throw new BertqaError(
      "score",
      'the data is no SQuAD file: expected a list "data" of articles with paragraphs',
      where,
    );
  }
  const read = readRows("dev", rowsOfArticles(articles, "data"));
  const leftOut = summarizeProblems(read.problems, ["row"]);
  if (leftOut.length > 0) process.stderr.write(`warning: left out: ${leftOut.join(", ")}\n`);
  const warnings = summarizeProblems(read.problems, ["label", "reading"]);
  if (warnings.length > 0) process.stderr.write(`warning: ${warnings.join(", ")}\n`);
  for (const note of read.notes) process.stderr.write(`note: ${note}\n`);
  return questionsOf({ data: read.articles });
}

function progressOn(stream: NodeJS.WriteStream) {
  if (!stream.isTTY) return undefined;
  return (done: number, total: number) => {
    stream.write(`\r${done} of ${total} windows${done === total ? "\n" : ""}`);
  };
}
