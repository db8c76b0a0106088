import { noAnswerProbability, type Calibration } from "./calibration.ts";
import type { OddsQuestion } from "./outcome.ts";

/** Which share of questions without an answer threshold and calibration are made for. */
export interface NoAnswerShare {
  /** `tune`: as among the held-out questions; `stated`: by the option; `estimated`: from null odds without labels. */
  readonly rule: "tune" | "stated" | "estimated";
  /** Among the held-out questions, 0 to 1. */
  readonly tune: number;
  /** What threshold and calibration are made for, 0 to 1. */
  readonly expected: number;
}

/** An estimate nearer to 0 or 1 than this would leave one kind of question without any weight. */
const outermostShare = 0.01;
const maxIterations = 10_000;
const convergedStep = 1e-9;

/** Share of questions without an answer, 0 to 1; 0 where there are none. */
export function noAnswerShareOf(questions: readonly Pick<OddsQuestion, "hasAns">[]): number {
  return questions.filter(({ hasAns }) => !hasAns).length / Math.max(questions.length, 1);
}

/**
 * Weights that bring questions to another share without an answer, and keep their sum: within each kind all are equal, as
 * only the prior shifts. 1 for all where the questions are of one kind.
 */
export function weightsForShare(
  questions: readonly Pick<OddsQuestion, "hasAns">[],
  expected: number,
): (question: Pick<OddsQuestion, "hasAns">) => number {
  const given = noAnswerShareOf(questions);
  if (given === 0 || given === 1) return () => 1;
  return ({ hasAns }) => (hasAns ? (1 - expected) / (1 - given) : expected / given);
}

/**
 * The share of questions without an answer among `nullOdds`, whose answers nobody looks at: expectation maximisation on
 * calibrated probabilities (Saerens, Latinne, Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
 * probabilities"). It holds as far as null odds are spread within each kind as they are in the held-out questions.
 *
 * @param calibration fitted on questions of which `givenShare` have no answer
 */
export function estimateNoAnswerShare(
  calibration: Pick<Calibration, "slope" | "intercept">,
  givenShare: number,
  nullOdds: readonly number[],
): number {
  if (nullOdds.length === 0 || givenShare <= 0 || givenShare >= 1) return givenShare;
  const probabilities = nullOdds.map((odds) => noAnswerProbability(calibration, odds));
  let share = givenShare;
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const [none, some] = [share / givenShare, (1 - share) / (1 - givenShare)];
    const posterior = (p: number) => (p * none) / (p * none + (1 - p) * some);
    const next = clamp(probabilities.reduce((sum, p) => sum + posterior(p), 0) / probabilities.length);
    const step = Math.abs(next - share);
    share = next;
    if (step < convergedStep) break;
  }
  return share;
}

function clamp(share: number): number {
  return Math.min(Math.max(share, outermostShare), 1 - outermostShare);
}
