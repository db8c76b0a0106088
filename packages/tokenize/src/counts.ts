import { specialTokensPerWindow } from "@bertqa/answers";
import { countOf, type Question } from "@bertqa/core";
import type { TokenizeOptions } from "./options.ts";
import { isNear, type TuneSplit } from "./tune-split.ts";

/** From this share of unknown tokens on, the encoder hardly knows the language. */
const manyUnknown = 0.05;

/** What tokenizing one split came to. */
export interface SplitCounts {
  questions: number;
  unanswerable: number;
  windows: number;
  /** Windows labelled no-answer, those of unanswerable questions included. */
  windowsWithoutAnswer: number;
  questionsWithManyWindows: number;
  /** Questions cut to `maxQuestionTokens`. */
  cappedQuestions: number;
  /** Reference answers, all of them. */
  answers: number;
  /** Reference answers that do not begin and end where tokens do. */
  unmatchedAnswers: number;
  /** Questions whose first answer, the one that is learned, no window holds whole. */
  answersInNoWindow: number;
  /** Unanswerable questions with a span that looks like the answer. */
  plausibleAnswers: number;
  /** Questions whose passage has no token, only spaces or control characters. */
  emptyContexts: number;
  /** Real tokens, special ones included; windows are not padded. */
  tokens: number;
  /** Those of them that are `[UNK]`. */
  unknownTokens: number;
  longestWindow: number;
}

export function noCounts(): SplitCounts {
  return {
    questions: 0,
    unanswerable: 0,
    windows: 0,
    windowsWithoutAnswer: 0,
    questionsWithManyWindows: 0,
    cappedQuestions: 0,
    answers: 0,
    unmatchedAnswers: 0,
    answersInNoWindow: 0,
    plausibleAnswers: 0,
    emptyContexts: 0,
    tokens: 0,
    unknownTokens: 0,
    longestWindow: 0,
  };
}

/** All splits taken together. */
export function totalOf(splits: readonly SplitCounts[]): SplitCounts {
  const total = noCounts();
  for (const split of splits) {
    for (const name of Object.keys(total) as (keyof SplitCounts)[]) {
      total[name] = name === "longestWindow" ? Math.max(total[name], split[name]) : total[name] + split[name];
    }
  }
  return total;
}

/** Counts for the manifest: `train.windows`, `dev.tokens` … */
export function manifestCounts(splits: Readonly<Record<string, SplitCounts>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(splits).flatMap(([split, counts]) =>
      Object.entries(counts).map(([name, count]) => [`${split}.${name}`, count as number]),
    ),
  );
}

/** `40 questions (19 without answer) → windows of 384, overlap 128`, how train was split, and passages in two splits. */
export function startLines(
  split: TuneSplit,
  others: Readonly<Record<"dev" | "extra", readonly Question[]>> & { readonly sanity?: readonly Question[] },
  options: TokenizeOptions,
): string[] {
  const { maxTokens, windowOverlapTokens } = options;
  const { dev, extra, sanity = [] } = others;
  const data = withUnanswerable([...split.train, ...split.tune, ...dev, ...sanity, ...extra]);
  const learned = [...split.train, ...extra];
  return [
    `${data} → windows of ${maxTokens}, overlap ${windowOverlapTokens}`,
    ...tuneLines(split, options),
    ...(extra.length > 0 ? [`extra: ${withUnanswerable(extra)} learned beside train`] : []),
    ...sharedLines("tune", split.tune, learned),
    ...sharedLines("dev", dev, [...learned, ...split.tune]),
    ...sharedLines("sanity", sanity, [...learned, ...split.tune]),
  ];
}

function tuneLines(split: TuneSplit, { tuneShare, seed }: TokenizeOptions): string[] {
  const { unit, train, tune, tuneUnits, trainUnits } = split;
  if (tuneShare === 0) return [];
  if (tuneUnits === 0)
    return [`warning: train has ${countOf(trainUnits, unit)}, too few to hold one out: tune stays empty`];
  const units = `${tuneUnits} of ${countOf(tuneUnits + trainUnits, unit)}`;
  const line = `tune: ${withUnanswerable(tune)} held out of train, ${units}, seed ${seed}`;
  const held = tune.length / (train.length + tune.length);
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return [
    line,
    ...(unit === "passage" ? ["warning: too few articles to divide: train and tune share articles, not passages"] : []),
    ...(isNear(held, tuneShare)
      ? []
      : [`warning: tune holds ${percent(held)} of train, asked for ${percent(tuneShare)}`]),
  ];
}

function sharedLines(name: string, questions: readonly Question[], train: readonly Question[]): string[] {
  const seen = new Set(train.map(({ context }) => context));
  const shared = new Set(questions.map(({ context }) => context).filter((context) => seen.has(context)));
  return shared.size === 0 ? [] : [`warning: ${countOf(shared.size, "passage")} of ${name} in train too`];
}

function withUnanswerable(questions: readonly Question[]): string {
  const unanswerable = questions.filter(({ answers, isUnlabelled }) => answers.length === 0 && !isUnlabelled).length;
  return `${countOf(questions.length, "question")} (${unanswerable.toLocaleString("en-US")} without answer)`;
}

/** `46 windows · 3 questions needed 2+ windows · 0 answers unmatched`, then warnings. */
export function endLines(total: SplitCounts, options: TokenizeOptions): string[] {
  const parts = [
    countOf(total.windows, "window"),
    `${countOf(total.questionsWithManyWindows, "question")} needed 2+ windows`,
    `${countOf(total.unmatchedAnswers, "answer")} unmatched`,
  ];
  return [parts.join(" · "), ...warningLines(total, options.maxQuestionTokens)];
}

/** What was cut off or could not be used; no line where all went well. */
function warningLines(total: SplitCounts, maxQuestionTokens: number): string[] {
  const unmatched = `${countOf(total.unmatchedAnswers, "answer")} of ${total.answers.toLocaleString("en-US")}`;
  const unknownShare = total.unknownTokens / Math.max(total.tokens - specialTokensPerWindow * total.windows, 1);
  const unknown = `${(100 * unknownShare).toFixed(0)} % of the tokens are [UNK]: choose an encoder that knows this script`;
  const warnings: [number, string][] = [
    [unknownShare >= manyUnknown ? 1 : 0, unknown],
    [total.cappedQuestions, `${countOf(total.cappedQuestions, "question")} cut to ${maxQuestionTokens} tokens`],
    [total.unmatchedAnswers, `${unmatched} not on token borders, listed in unmatched-answers.json`],
    [total.answersInNoWindow, `${countOf(total.answersInNoWindow, "answer")} that no window holds whole`],
    [total.emptyContexts, `${countOf(total.emptyContexts, "question")} on a passage without tokens`],
  ];
  return warnings.filter(([count]) => count > 0).map(([, line]) => `warning: ${line}`);
}
