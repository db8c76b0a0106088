import { z } from "zod";
import { BertqaError } from "./errors.ts";
import type { Answer, Question } from "./question.ts";

/** `answer_start` of an answer whose text its passage does not hold: dev questions are scored by such texts too. */
export const noPlace = -1;

const answerSchema = z.object({
  text: z.string(),
  /** First character of the answer in the context, in Unicode code points, or {@link noPlace}. */
  answer_start: z.int().min(noPlace),
});

const questionSchema = z.object({
  id: z.string(),
  question: z.string(),
  /** Absent where the file says nothing about answers: such a question is answered, not scored. */
  answers: z.array(answerSchema).optional(),
  /** SQuAD 2.0 only; absent in SQuAD 1.1, where every question has an answer. */
  is_impossible: z.boolean().optional(),
  plausible_answers: z.array(answerSchema).optional(),
});

const paragraphSchema = z.object({ context: z.string(), qas: z.array(questionSchema) });
const articleSchema = z.object({ title: z.string().optional(), paragraphs: z.array(paragraphSchema) });

/**
 * The format of SQuAD 1.1 and 2.0 as the stages pass it on. Files of other shapes are read by `readRows`, which fetch
 * writes back in this one.
 */
export const squadFileSchema = z.object({ version: z.string().optional(), data: z.array(articleSchema) });
export type SquadFile = z.output<typeof squadFileSchema>;

/**
 * The text of a file of SQuAD 2.0: equal rows give equal bytes, whatever the source's layout.
 *
 * @param remedy what to do where they are too many
 * @throws BertqaError if they are more than Node holds as one text
 */
export function squadText(stage: string, data: SquadFile["data"], remedy: string): string {
  try {
    return `${JSON.stringify({ version: "v2.0", data })}\n`;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const problem = "the questions are more than Node.js holds as one text (537 MB)";
    throw new BertqaError(stage, problem, { remedy, cause });
  }
}

/** All questions of a SQuAD file, in the file's order. */
export function questionsOf(file: SquadFile): Question[] {
  return file.data.flatMap((article, articleIndex) =>
    article.paragraphs.flatMap((paragraph, paragraphIndex) =>
      paragraph.qas.map((qa) => ({
        id: qa.id,
        question: qa.question,
        context: paragraph.context,
        answers: qa.is_impossible ? [] : (qa.answers ?? []).map(toAnswer),
        ...(qa.is_impossible && qa.plausible_answers ? { plausibleAnswers: qa.plausible_answers.map(toAnswer) } : {}),
        ...(qa.answers || qa.is_impossible ? {} : { isUnlabelled: true }),
        article: article.title ?? `article-${articleIndex}`,
        articleIndex,
        paragraphIndex,
      })),
    ),
  );
}

function toAnswer({ text, answer_start }: z.output<typeof answerSchema>): Answer {
  return { text, startCodePoint: answer_start === noPlace ? null : answer_start };
}
