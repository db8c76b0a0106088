import { z } from "zod";
import type { Question } from "./question.ts";

const answerSchema = z.object({
  text: z.string(),
  /** First character of the answer in the context, in Unicode code points. */
  answer_start: z.int().nonnegative(),
});

const questionSchema = z.object({
  id: z.string(),
  question: z.string(),
  answers: z.array(answerSchema),
  /** SQuAD 2.0 only; absent in SQuAD 1.1, where every question has an answer. */
  is_impossible: z.boolean().optional(),
  plausible_answers: z.array(answerSchema).optional(),
});

const paragraphSchema = z.object({ context: z.string(), qas: z.array(questionSchema) });
const articleSchema = z.object({ title: z.string().optional(), paragraphs: z.array(paragraphSchema) });

/** The file format of SQuAD 1.1 and 2.0; further keys are let through, as published files have some. */
export const squadFileSchema = z.object({ version: z.string().optional(), data: z.array(articleSchema) });
export type SquadFile = z.output<typeof squadFileSchema>;

/** All questions of a SQuAD file, in the file's order. */
export function questionsOf(file: SquadFile): Question[] {
  return file.data.flatMap((article, articleIndex) =>
    article.paragraphs.flatMap((paragraph, paragraphIndex) =>
      paragraph.qas.map((qa) => ({
        id: qa.id,
        question: qa.question,
        context: paragraph.context,
        answers: qa.is_impossible
          ? []
          : qa.answers.map((answer) => ({ text: answer.text, startCodePoint: answer.answer_start })),
        article: article.title ?? `article-${articleIndex}`,
        articleIndex,
        paragraphIndex,
      })),
    ),
  );
}
