import { countOf } from "@bertqa/core";
import type { SplitCounts } from "./counts.ts";
import type { TokenizeOptions } from "./options.ts";
import type { TuneSplit } from "./tune-split.ts";

/** `40 questions (19 without answer) → windows of 384, overlap 128`, and how train was split. */
export function startLines(
  questions: { readonly total: number; readonly unanswerable: number },
  tune: TuneSplit,
  options: TokenizeOptions,
): string[] {
  const { maxTokens, windowOverlapTokens } = options;
  const data = withUnanswerable(questions.total, questions.unanswerable);
  const splitLine = tuneLine(tune, options);
  return [`${data} → windows of ${maxTokens}, overlap ${windowOverlapTokens}`, ...(splitLine ? [splitLine] : [])];
}

function tuneLine(tune: TuneSplit, { tuneShare, seed }: TokenizeOptions): string | undefined {
  if (tuneShare === 0) return undefined;
  if (tune.tuneArticles === 0) {
    return `warning: train has ${countOf(tune.trainArticles, "article")}, too few to hold one out: tune stays empty`;
  }
  const articles = `${tune.tuneArticles} of ${countOf(tune.tuneArticles + tune.trainArticles, "article")}`;
  const unanswerable = tune.tune.filter(({ answers }) => answers.length === 0).length;
  return `tune: ${withUnanswerable(tune.tune.length, unanswerable)} held out of train, ${articles}, seed ${seed}`;
}

function withUnanswerable(questions: number, unanswerable: number): string {
  return `${countOf(questions, "question")} (${unanswerable.toLocaleString("en-US")} without answer)`;
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
  const warnings: [number, string][] = [
    [total.cappedQuestions, `${countOf(total.cappedQuestions, "question")} cut to ${maxQuestionTokens} tokens`],
    [total.unmatchedAnswers, `${unmatched} not on token borders, listed in unmatched-answers.json`],
    [total.answersInNoWindow, `${countOf(total.answersInNoWindow, "answer")} that no window holds whole`],
    [total.emptyContexts, `${countOf(total.emptyContexts, "question")} on a passage without tokens`],
  ];
  return warnings.filter(([count]) => count > 0).map(([, line]) => `warning: ${line}`);
}
