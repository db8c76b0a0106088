import { countOf, type DatasetSplit } from "@bertqa/core";
import { readRows, type RawRow, type ReadSplit } from "@bertqa/squad";
import { countProblems, type DatasetProblems } from "./problems.ts";
import { mapSplits, splitEntries, type BySplit } from "./splits.ts";

/** A split's rows, as its file has them. */
export interface RawSplit {
  readonly rows: readonly RawRow[];
  readonly firstQuestions?: number | undefined;
}

export interface SplitCounts {
  readonly articles: number;
  readonly paragraphs: number;
  readonly questions: number;
  readonly unanswerable: number;
  /** Questions of which the file says nothing about answers: they are answered, not scored. */
  readonly unlabelled: number;
}

type Articles = ReadSplit["articles"];

/** All splits without their bad rows, and all that was found on the way. */
export interface CheckedDataset {
  readonly data: BySplit<Articles>;
  readonly counts: BySplit<SplitCounts>;
  readonly problems: DatasetProblems;
  /** What was read otherwise than SQuAD has it, in sentences. */
  readonly notes: readonly string[];
}

/** Reads and checks the splits, a sanity set as dev, extra as train; ids are unique within each, and may come in several. */
export function checkDataset(raw: BySplit<RawSplit>): CheckedDataset {
  const read = mapSplits(raw, (file, split) => readRows(isLearned(split) ? "train" : "dev", file.rows, file));
  return {
    data: mapSplits(read, ({ articles }) => articles),
    counts: mapSplits(read, ({ articles }) => countSplit(articles)),
    problems: mapSplits(read, ({ problems }) => problems),
    notes: splitEntries(read).flatMap(([split, { notes }]) => notes.map((note) => `${split}: ${note}`)),
  };
}

/** What is allowed but is likely not meant. */
export function hintsFor({ data, counts }: CheckedDataset): string[] {
  const { train, dev, extra } = counts;
  const hints: string[] = [];
  const learned = train.unanswerable + (extra?.unanswerable ?? 0);
  if (learned === 0 && dev.unanswerable > 0) {
    const count = countOf(dev.unanswerable, "unanswerable question");
    hints.push(`dev has ${count}, train none: the model never learns to say that there is no answer`);
  }
  if (train.unanswerable > 0 && dev.unanswerable === 0) {
    const count = countOf(train.unanswerable, "unanswerable question");
    hints.push(`train has ${count}, dev none: the scores do not show whether the model tells them apart`);
  }
  if (dev.unlabelled === dev.questions) {
    hints.push("dev has no answers: its questions are answered, and there is nothing to score");
  } else if (dev.unlabelled > 0) {
    hints.push(`dev has ${countOf(dev.unlabelled, "question")} without answers: they are answered, not scored`);
  }
  for (const [split, { paragraphs }] of splitEntries(counts)) {
    const shared = sharedPassages(data, split);
    if (shared === 0) continue;
    const share = `${countOf(shared, "passage")} of ${split}'s ${paragraphs.toLocaleString("en-US")}`;
    hints.push(`${share} also stand in train: the scores will be too high`);
  }
  return hints;
}

/** Its passages are for learning, and no score is taken on them. */
function isLearned(split: DatasetSplit): split is "train" | "extra" {
  return split === "train" || split === "extra";
}

/** Paragraphs of a scored split whose text is also one that is learned. */
function sharedPassages(data: CheckedDataset["data"], split: DatasetSplit): number {
  if (isLearned(split)) return 0;
  const trainContexts = new Set([...contextsIn(data.train), ...contextsIn(data.extra ?? [])]);
  return contextsIn(data[split] ?? []).filter((context) => trainContexts.has(context)).length;
}

/** The manifest's counts. */
export function countsFor({ counts, problems, data }: CheckedDataset): Record<string, number> {
  const ofSplit = ([split, count]: [DatasetSplit, SplitCounts]) => {
    const { articles, paragraphs, questions, unanswerable, unlabelled } = count;
    return {
      [`${split}Articles`]: articles,
      [`${split}Paragraphs`]: paragraphs,
      [`${split}Questions`]: questions,
      [`${split}Unanswerable`]: unanswerable,
      ...(unlabelled > 0 ? { [`${split}Unlabelled`]: unlabelled } : {}),
    };
  };
  const shared = splitEntries(counts).map(
    ([split]) => [`${split}PassagesInTrain`, sharedPassages(data, split)] as const,
  );
  return {
    ...(Object.assign({}, ...splitEntries(counts).map(ofSplit)) as Record<string, number>),
    ...Object.fromEntries(shared.filter(([, passages]) => passages > 0)),
    ...countProblems(problems),
  };
}

/** `train: 24 articles, 72 paragraphs, 480 questions (160 unanswerable)`. */
export function describeCounts(split: DatasetSplit, counts: SplitCounts, skipped: number): string {
  const { articles, paragraphs, questions, unanswerable } = counts;
  const parts = [countOf(articles, "article"), countOf(paragraphs, "paragraph"), countOf(questions, "question")];
  const left = skipped > 0 ? ` · ${countOf(skipped, "bad row")} left out` : "";
  return `${split}: ${parts.join(", ")} (${unanswerable.toLocaleString("en-US")} unanswerable)${left}`;
}

function countSplit(data: Articles): SplitCounts {
  const questions = data.flatMap((article) => article.paragraphs.flatMap((paragraph) => paragraph.qas));
  return {
    articles: data.length,
    paragraphs: contextsIn(data).length,
    questions: questions.length,
    unanswerable: questions.filter((qa) => qa.is_impossible).length,
    unlabelled: questions.filter((qa) => !qa.answers).length,
  };
}

function contextsIn(data: Articles): string[] {
  return data.flatMap((article) => article.paragraphs.map((paragraph) => paragraph.context));
}
