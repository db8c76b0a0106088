import { sha256Of, type QuestionResult } from "@bertqa/core";
import type { Evaluation, SanityScores, ThresholdScores } from "@bertqa/report";
import { articleKey, type Question } from "@bertqa/squad";
import { meanScore } from "./breakdowns.ts";
import { resultsAt, scoreSpans, type AnsweredSplit } from "./results.ts";

/**
 * Scores the sanity set at the threshold and with the calibration that dev is scored by: it takes no part in the choice of either.
 * It has no intervals: its questions were picked to be hard, and are no sample of anything.
 *
 * @param set         questions with predictions; at least one
 * @param evaluation  what was found out of dev
 * @throws BertqaError naming the questions without a prediction
 */
export function scoreSanitySet(
  set: AnsweredSplit,
  { scores, primary, noAnswer }: Evaluation,
): { readonly scores: SanityScores; readonly results: readonly QuestionResult[] } {
  const { nullOddsThreshold } = scores.find(({ kind }) => kind === primary) as ThresholdScores;
  const results = resultsAt(nullOddsThreshold, set, scoreSpans(set), noAnswer.calibration);
  const meanOf = (part: readonly QuestionResult[]) => (part.length > 0 ? meanScore(part) : null);
  return {
    scores: {
      all: { ...meanScore(results), asked: askedOf(results) },
      hasAns: meanOf(results.filter(({ answerable }) => answerable)),
      noAns: meanOf(results.filter(({ answerable }) => !answerable)),
      kinds: kindsOf(set.questions).map((label) => ({
        label,
        ...meanScore(results.filter(({ article }) => article === label)),
      })),
    },
    results,
  };
}

function askedOf(results: readonly QuestionResult[]): string {
  return sha256Of(results.map(({ asked }) => asked).join("\n")).slice(0, 16);
}

/** The set's articles, each a kind of difficulty, in the order of the file. */
function kindsOf(questions: readonly Question[]): string[] {
  return [...new Set(questions.map(articleKey))];
}
