import { SpanSearch, type SearchLimits } from "@bertqa/answers";
import { BertqaError, countOf, type BertConfig, type Question, type WindowShard, type WindowSplit } from "@bertqa/core";

/** A split before the model sees it: its questions in the dataset's order, each with an empty search. */
export interface SplitPlan {
  readonly questions: readonly Question[];
  readonly windowCount: number;
  /** By question id, in the order of `questions`. */
  readonly searches: ReadonlyMap<string, SpanSearch>;
}

/** What a pass over a split's shards finds. */
export interface SplitSurvey {
  readonly windowCount: number;
  readonly longestWindowTokens: number;
  readonly highestTokenId: number;
  readonly questionIds: ReadonlySet<string>;
  /** Tokens of the labelled answer, by question id; questions without a label are left out. */
  readonly answerTokens: ReadonlyMap<string, number>;
}

export async function surveyShards(shards: AsyncIterable<WindowShard>): Promise<SplitSurvey> {
  const questionIds = new Set<string>();
  const answerTokens = new Map<string, number>();
  let [windowCount, longestWindowTokens, highestTokenId] = [0, 0, -1];
  for await (const { rowCount, questionId, inputIds, startPosition, endPosition } of shards) {
    windowCount += rowCount;
    for (const id of questionId) questionIds.add(id);
    for (const id of inputIds.values) if (id > highestTokenId) highestTokenId = id;
    for (let row = 0; row < rowCount; row++) {
      const tokenCount = (inputIds.offsets[row + 1] as number) - (inputIds.offsets[row] as number);
      longestWindowTokens = Math.max(longestWindowTokens, tokenCount);
      const [start, end] = [startPosition[row] as number, endPosition[row] as number];
      if (start > 0) answerTokens.set(questionId[row] as string, end - start + 1);
    }
  }
  return { windowCount, longestWindowTokens, highestTokenId, questionIds, answerTokens };
}

/** Answers that are longer than any span that is searched, and the longest of all, in tokens. */
export function longAnswers(
  { answerTokens }: Pick<SplitSurvey, "answerTokens">,
  maxAnswerTokens: number,
): { readonly tooLong: number; readonly longest: number } {
  let [tooLong, longest] = [0, 0];
  for (const tokens of answerTokens.values()) {
    if (tokens > maxAnswerTokens) tooLong++;
    longest = Math.max(longest, tokens);
  }
  return { tooLong, longest };
}

/**
 * Evaluate reads the candidates of a split as one JSON text, of which Node holds 537 million characters at most; one candidate has
 * about 200, so this many fit.
 */
const mostCandidates = 2_500_000;

/** @throws BertqaError if the candidates would be more than evaluate can read, which it would find out hours later */
export function requireReadableCandidates(stage: string, split: string, questions: number, nBest: number): void {
  if (questions * nBest <= mostCandidates) return;
  const asked = `${countOf(questions, `${split} question`)} with nBest ${nBest} make ${(questions * nBest).toLocaleString("en-US")} candidates`;
  throw new BertqaError(
    stage,
    `${asked}, more than the ${mostCandidates.toLocaleString("en-US")} that evaluate can read`,
    {
      remedy:
        questions > mostCandidates
          ? "Keep fewer questions, with firstQuestions in fetch.json"
          : `Set nBest to ${Math.floor(mostCandidates / questions)} or less in predict.json`,
    },
  );
}

/**
 * Plans a split. `tune` is a part of the dataset's train questions: those that its windows name.
 *
 * @param questions the dataset's questions that may be in the split
 * @throws BertqaError if a window is of another question, or the model has no place for its tokens
 */
export function planSplit(
  stage: string,
  split: WindowSplit,
  survey: SplitSurvey,
  questions: readonly Question[],
  model: BertConfig,
  limits: SearchLimits,
): SplitPlan {
  const known = new Set(questions.map((question) => question.id));
  const unknown = [...survey.questionIds].filter((id) => !known.has(id));
  if (unknown.length > 0) {
    const shown = unknown.slice(0, 5).map((id) => `"${id}"`);
    const problem = `the ${split} windows name ${countOf(unknown.length, "question")} that the dataset does not have: ${shown.join(", ")}`;
    throw new BertqaError(stage, problem, { remedy: "Run the tokenize stage again" });
  }
  refuseForeignWindows(stage, split, survey, model);
  const chosen = split === "tune" ? questions.filter((question) => survey.questionIds.has(question.id)) : questions;
  return {
    questions: chosen,
    windowCount: survey.windowCount,
    searches: new Map(chosen.map((question) => [question.id, new SpanSearch(limits)])),
  };
}

function refuseForeignWindows(stage: string, split: WindowSplit, survey: SplitSurvey, model: BertConfig): void {
  const remedy = "Tokenize with the encoder that the model was trained from, then train again";
  if (survey.longestWindowTokens > model.maxPositions) {
    const problem = `the longest ${split} window has ${survey.longestWindowTokens} tokens, the model ${model.maxPositions} positions`;
    throw new BertqaError(stage, problem, { remedy });
  }
  if (survey.highestTokenId >= model.vocabularySize) {
    const problem = `a ${split} window has token id ${survey.highestTokenId}, the model ids below ${model.vocabularySize}`;
    throw new BertqaError(stage, problem, { remedy });
  }
}
