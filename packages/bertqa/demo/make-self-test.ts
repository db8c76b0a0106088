import { BertqaError } from "@bertqa/squad";
import { loadQuestionAnswering } from "../src/node.ts";
import type { QuestionAnswer, QuestionInput } from "../src/question-answering.ts";
import { selfTestProblem, type SelfTest } from "./site.ts";

/**
 * Chooses, of these questions, the first on which int8 and float32 agree here, and stores float32's answer. Where they agree on
 * none, the first of all is taken: the page will then fall back to float32, as it should.
 *
 * @param folder an export
 * @throws BertqaError if the folder is no export
 */
export async function makeSelfTest(folder: string, questions: readonly QuestionInput[]): Promise<SelfTest> {
  const float32 = await answersOf(folder, "float32", questions);
  const int8 = await answersOf(folder, "int8", questions);
  const tests = questions.map(({ question, context }, i) => {
    const { answer, span, nullOdds } = float32[i]!;
    return { question, context, answer, utf16: span?.utf16 ?? null, nullOdds };
  });
  const agreed = tests.find((test, i) => selfTestProblem(test, int8[i]!, "int8") === undefined);
  const test = agreed ?? tests[0];
  if (!test) throw new BertqaError("demo", "there is no question for the self-test");
  return test;
}

async function answersOf(
  folder: string,
  precision: "int8" | "float32",
  questions: readonly QuestionInput[],
): Promise<QuestionAnswer[]> {
  const qa = await loadQuestionAnswering(folder, { precision });
  try {
    const answers: QuestionAnswer[] = [];
    // One at a time, as the page asks: int8's activations are quantized over a whole batch.
    for (const question of questions) answers.push(await qa.answer(question));
    return answers;
  } finally {
    await qa.dispose();
  }
}
