import { BertqaError } from "../errors.ts";
import { scoreAt } from "../outcome.ts";
import { scoreAnswer, type GoldAnswer } from "./score.ts";

/** A question as the evaluator sees it; unanswerable where it has no gold answer. */
export interface GoldQuestion {
  readonly id: string;
  readonly answers: readonly GoldAnswer[];
}

/** One question with the score of its prediction as given, before any threshold. */
export interface ScoredQuestion {
  readonly id: string;
  readonly hasAns: boolean;
  readonly exact: number;
  readonly f1: number;
  /** The prediction is not "". */
  readonly isAnswered: boolean;
  /** There is no prediction, and it was asked to count that as wrong: it scores 0 at every threshold. */
  readonly isMissing: boolean;
}

/** Official keys with their values, in the script's order. Those that end in `total` are integers, all others floats. */
export type OfficialScores = Record<string, number>;

/** The question whose no-answer probability is the best threshold; undefined where answering nothing is best. */
export interface BestThreshold {
  /** In percent. */
  readonly score: number;
  readonly threshold: number;
  readonly id: string | undefined;
}

/** A question's place in the order of no-answer probabilities. */
export interface RankedQuestion {
  readonly question: ScoredQuestion;
  readonly naProb: number;
}

/**
 * Scores all predictions. An id that comes twice keeps its first place and its last gold answers, as in a Python dict.
 *
 * @param predictionOf the answer text of a question; undefined where there is no prediction
 * @returns the questions, and the ids without a prediction
 */
export function scoreQuestions(
  gold: readonly GoldQuestion[],
  predictionOf: (id: string) => string | undefined,
): { readonly questions: ScoredQuestion[]; readonly missingIds: string[] } {
  const byId = new Map<string, ScoredQuestion>();
  const missingIds: string[] = [];
  for (const { id, answers } of gold) {
    const prediction = predictionOf(id);
    const isMissing = prediction === undefined;
    if (isMissing) missingIds.push(id);
    const { exact, f1 } = isMissing ? { exact: 0, f1: 0 } : scoreAnswer(answers, prediction);
    byId.set(id, { id, hasAns: answers.length > 0, exact, f1, isAnswered: prediction !== "" && !isMissing, isMissing });
  }
  return { questions: [...byId.values()], missingIds };
}

const shownIds = 5;

/**
 * Refuses questions that lack something, such as a prediction, by name.
 *
 * @param ids   the questions without it
 * @param total questions asked for it
 * @param place where it should be, and what to do
 * @throws BertqaError if there is one
 */
export function refuseWithout(
  stage: string,
  noun: string,
  { ids, total }: { readonly ids: readonly string[]; readonly total: number },
  place: { readonly where: string; readonly remedy?: string },
): void {
  if (ids.length === 0) return;
  const named = ids.slice(0, shownIds).map((id) => JSON.stringify(id));
  const more = ids.length > shownIds ? ` and ${ids.length - shownIds} more` : "";
  const subject = `${ids.length} of ${total} questions ${ids.length === 1 ? "has" : "have"}`;
  throw new BertqaError(stage, `${subject} no ${noun}: ${named.join(", ")}${more}`, place);
}

/** Scores with "" in place of every prediction whose no-answer probability exceeds the threshold. */
export function applyThreshold(
  questions: readonly ScoredQuestion[],
  naProbs: ReadonlyMap<string, number>,
  threshold: number,
): ScoredQuestion[] {
  return questions.map((question) => {
    if (question.isMissing) return question;
    return { ...question, ...scoreAt({ ...question, nullOdds: naProbs.get(question.id) as number }, threshold) };
  });
}

/** `exact`, `f1`, `total`, then the same for the answerable and the unanswerable half, where there is one. */
export function summarize(questions: readonly ScoredQuestion[]): OfficialScores {
  // Summed one by one in the order of the questions: the last digits depend on it.
  const sums = { all: noSum(), hasAns: noSum(), noAns: noSum() };
  for (const question of questions) {
    addTo(sums.all, question);
    addTo(question.hasAns ? sums.hasAns : sums.noAns, question);
  }
  return {
    ...percentages("", sums.all),
    ...(sums.hasAns.total > 0 && percentages("HasAns_", sums.hasAns)),
    ...(sums.noAns.total > 0 && percentages("NoAns_", sums.noAns)),
  };
}

interface Sum {
  exact: number;
  f1: number;
  total: number;
}

function noSum(): Sum {
  return { exact: 0, f1: 0, total: 0 };
}

function addTo(sum: Sum, { exact, f1 }: ScoredQuestion): void {
  sum.exact += exact;
  sum.f1 += f1;
  sum.total++;
}

function percentages(prefix: string, { exact, f1, total }: Sum): OfficialScores {
  return {
    [`${prefix}exact`]: (100 * exact) / total,
    [`${prefix}f1`]: (100 * f1) / total,
    [`${prefix}total`]: total,
  };
}

/**
 * Orders questions by no-answer probability, ties in the order of `naProbs`; ids that no question has are left out. Missing
 * questions may have no probability: they come last, where they are wrong at any threshold.
 */
export function rankQuestions(
  questions: readonly ScoredQuestion[],
  naProbs: ReadonlyMap<string, number>,
): RankedQuestion[] {
  const byId = new Map(questions.map((question) => [question.id, question]));
  const ranked: RankedQuestion[] = [];
  for (const [id, naProb] of naProbs) {
    const question = byId.get(id);
    if (question) ranked.push({ question, naProb });
  }
  for (const question of questions) {
    if (question.isMissing && !naProbs.has(question.id)) ranked.push({ question, naProb: Infinity });
  }
  return ranked.sort((a, b) => a.naProb - b.naProb); // stable
}

/**
 * The threshold with the highest score. Questions are answered one by one from the lowest no-answer probability on, each
 * one a candidate by itself: among equal probabilities the script also counts the points in between, which no threshold
 * reaches, and so do we. Starts from answering nothing, which it calls threshold 0.
 */
export function findBestThreshold(ranked: readonly RankedQuestion[], metric: "exact" | "f1"): BestThreshold {
  let score = ranked.filter(({ question }) => !question.hasAns && !question.isMissing).length;
  const best = { score, threshold: 0, id: undefined as string | undefined };
  for (const { question, naProb } of ranked) {
    if (question.isMissing) continue;
    score += question.hasAns ? question[metric] : question.isAnswered ? -1 : 0;
    if (score <= best.score) continue;
    best.score = score;
    best.threshold = naProb;
    best.id = question.id;
  }
  return { ...best, score: (100 * best.score) / ranked.length };
}
