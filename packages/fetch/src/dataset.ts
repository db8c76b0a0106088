import { countOf, type DatasetSplit } from "@bertqa/core";
import { countSkipped, type Problem } from "./problems.ts";
import { checkSplit, type CheckedSplit } from "./validate.ts";

/** A split's raw rows: the `data` of its file. */
export interface RawSplit {
  readonly data: readonly unknown[];
  readonly firstQuestions?: number | undefined;
}

export interface SplitCounts {
  readonly articles: number;
  readonly paragraphs: number;
  readonly questions: number;
  readonly unanswerable: number;
}

/** Both splits without their bad rows, and all that was found on the way. */
export interface CheckedDataset {
  readonly data: Readonly<Record<DatasetSplit, CheckedSplit["data"]>>;
  readonly counts: Readonly<Record<DatasetSplit, SplitCounts>>;
  readonly problems: readonly Problem[];
}

/** Checks both splits. Where an id is in both, train's row is the bad one: dev's scores stay comparable. */
export function checkDataset(train: RawSplit, dev: RawSplit): CheckedDataset {
  const checkedDev = checkSplit("dev", dev.data, { firstQuestions: dev.firstQuestions });
  const takenIds = new Set(questionsIn(checkedDev.data).map((qa) => qa.id));
  const checkedTrain = checkSplit("train", train.data, { firstQuestions: train.firstQuestions, takenIds });
  return {
    data: { train: checkedTrain.data, dev: checkedDev.data },
    counts: { train: countSplit(checkedTrain.data), dev: countSplit(checkedDev.data) },
    problems: [...checkedTrain.problems, ...checkedDev.problems],
  };
}

/** What is allowed but is likely not meant. */
export function hintsFor({ data, counts }: CheckedDataset): string[] {
  const { train, dev } = counts;
  const hints: string[] = [];
  if (train.unanswerable === 0 && dev.unanswerable > 0) {
    const count = countOf(dev.unanswerable, "unanswerable question");
    hints.push(`dev has ${count}, train none: the model never learns to say that there is no answer`);
  }
  if (train.unanswerable > 0 && dev.unanswerable === 0) {
    const count = countOf(train.unanswerable, "unanswerable question");
    hints.push(`train has ${count}, dev none: the scores do not show whether the model tells them apart`);
  }
  const trainContexts = new Set(contextsIn(data.train));
  const shared = contextsIn(data.dev).filter((context) => trainContexts.has(context)).length;
  if (shared > 0) hints.push(`train and dev share ${countOf(shared, "paragraph")}: the scores will be too high`);
  return hints;
}

/** The manifest's counts. */
export function countsFor({ counts, problems }: CheckedDataset): Record<string, number> {
  const ofSplit = (split: DatasetSplit) => {
    const { articles, paragraphs, questions, unanswerable } = counts[split];
    return {
      [`${split}Articles`]: articles,
      [`${split}Paragraphs`]: paragraphs,
      [`${split}Questions`]: questions,
      [`${split}Unanswerable`]: unanswerable,
      ...countSkipped(split, problems),
    };
  };
  return { ...ofSplit("train"), ...ofSplit("dev") };
}

/** `train: 24 articles, 72 paragraphs, 480 questions (160 unanswerable)`. */
export function describeCounts(split: DatasetSplit, counts: SplitCounts, skipped: number): string {
  const { articles, paragraphs, questions, unanswerable } = counts;
  const parts = [countOf(articles, "article"), countOf(paragraphs, "paragraph"), countOf(questions, "question")];
  const left = skipped > 0 ? ` · ${countOf(skipped, "bad row")} left out` : "";
  return `${split}: ${parts.join(", ")} (${unanswerable.toLocaleString("en-US")} unanswerable)${left}`;
}

/** A split's file in the format of SQuAD 2.0: equal rows give equal bytes, whatever the source's layout. */
export function serializeSplit(data: CheckedSplit["data"]): string {
  return `${JSON.stringify({ version: "v2.0", data })}\n`;
}

function countSplit(data: CheckedSplit["data"]): SplitCounts {
  const questions = questionsIn(data);
  return {
    articles: data.length,
    paragraphs: contextsIn(data).length,
    questions: questions.length,
    unanswerable: questions.filter((qa) => qa.is_impossible).length,
  };
}

function questionsIn(data: CheckedSplit["data"]) {
  return data.flatMap((article) => article.paragraphs.flatMap((paragraph) => paragraph.qas));
}

function contextsIn(data: CheckedSplit["data"]): string[] {
  return data.flatMap((article) => article.paragraphs.map((paragraph) => paragraph.context));
}
