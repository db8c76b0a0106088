import { z } from "zod";

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

/** A reference answer: the slice of its context that starts at code point `startCodePoint`. */
export interface Answer {
  readonly text: string;
  readonly startCodePoint: number;
}

/** One question of a SQuAD file with everything that belongs to it. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly context: string;
  /** Empty where the passage does not answer the question. */
  readonly answers: readonly Answer[];
  /** Title of the article, or `article-<index>` where the file gives none. */
  readonly article: string;
  readonly articleIndex: number;
  readonly paragraphIndex: number;
}

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
