import type { Candidate } from "@bertqa/core";
import { questionsOf, type Question } from "@bertqa/squad";
import { analyse } from "../../../evaluate/src/analysis/analyse.ts";
import { evaluateOptionsSchema } from "../../../evaluate/src/options.ts";
import { madeUpAnswers, sampleFile } from "../../../evaluate/test/support/pipeline.ts";
import type { ReportData } from "../../src/build.ts";

/** A passage that would run a script, were any of it read as markup. */
export const hostilePassage =
  "Before </script><img src=x onerror=\"document.title='owned'\"> & <!-- after 𝄞 it, the answer is <b>forty-two</b>.";

/** An answerable question over {@link hostilePassage}, its answer after a character of two UTF-16 units. */
export const hostileQuestion: Question = {
  id: "hostile/1 %",
  question: 'What is <i>the</i> answer, "really"?',
  context: hostilePassage,
  answers: [answerIn(hostilePassage, "<b>forty-two</b>")],
  article: "<script>article</script>",
  articleIndex: 900,
  paragraphIndex: 0,
};

/** The sample corpus with made-up answers and one hostile question at its end. */
export function sampleReportData(): ReportData {
  const questions = [...questionsOf(sampleFile("dev")), hostileQuestion];
  const made = madeUpAnswers(questions, 1);
  return reportDataOf(
    questions,
    { ...made.bestSpans, [hostileQuestion.id]: "forty-two" },
    { ...made.nullOdds, [hostileQuestion.id]: -30 },
  );
}

/** Report data for any predictions, thresholds chosen on made-up held-out questions. */
export function reportDataOf(
  questions: readonly Question[],
  bestSpans: Readonly<Record<string, string>>,
  nullOdds: Readonly<Record<string, number>>,
): ReportData {
  const tuneQuestions = questionsOf(sampleFile("train")).filter(({ articleIndex }) => articleIndex < 5);
  const tune = { questions: tuneQuestions, ...madeUpAnswers(tuneQuestions, 2), where: "predict" };
  const options = evaluateOptionsSchema.parse({ bootstrapSamples: 50 });
  return {
    pipeline: "sample",
    model: "owner/<tiny>",
    ...analyse({ questions, bestSpans, nullOdds, where: "predict" }, tune, options),
    trainingLog: Array.from({ length: 30 }, (_, i) => ({
      step: i + 1,
      loss: 5 / (i + 1),
      learningRate: 5e-5 * (1 - i / 30),
    })),
    questions,
    nbest: Object.fromEntries(
      questions.map((question) => [question.id, nbestOf(question, bestSpans[question.id] ?? "")]),
    ),
  };
}

/** An answer with its position in code points. */
export function answerIn(context: string, text: string): { text: string; startCodePoint: number } {
  return { text, startCodePoint: [...context.slice(0, context.indexOf(text))].length };
}

function nbestOf({ context }: Question, text: string): Candidate[] {
  const start = context.indexOf(text);
  const logits = { start_logit: 2.25, end_logit: 1.5 };
  const best: Candidate = {
    text,
    probability: 0.75,
    ...logits,
    code_points: null,
    utf16: [start, start + text.length],
  };
  return [best, { text: "", probability: 0.25, ...logits, code_points: null, utf16: null }];
}
