import { BertqaError, shownNoAnswerProbability, spanProbabilities, uncalibrated } from "@bertqa/squad";
import { z } from "zod";
import { nullOddsOf, spansOf, type FoundSpans, type PassageSpan } from "./answer.ts";
import type { Passage } from "./reach.ts";

export const decisionFormatVersion = 1;

const basisSchema = z
  .strictObject({
    kind: z
      .enum(["tune", "dev", "nothing"])
      .describe('"tune": held out of training; "nothing": a value that needs no data'),
    questions: z.int().nonnegative(),
    answerable: z.int().nonnegative(),
    unanswerable: z.int().nonnegative(),
    articles: z.int().nonnegative(),
    text: z.string().describe('For people: "tune: 120 questions of 3 articles"'),
    rule: z.string().describe('How the value was chosen: "highest F1, of equally good ones the nearest to 0"'),
  })
  .describe("The questions that a value was chosen on");

/**
 * `decision.json`: everything that turns a trained model's logits into answers. Evaluate writes it; export, ask, serve and
 * the page take their rules from it alone.
 */
export const decisionSchema = z.strictObject({
  formatVersion: z.literal(decisionFormatVersion),
  window: z.strictObject({
    maxTokens: z.int().min(8).describe("Tokens of a window at most, question and special tokens included"),
    windowOverlapTokens: z.int().nonnegative().describe("Context tokens that two neighbouring windows share"),
    maxQuestionTokens: z.int().positive().describe("Tokens of a question at most; the rest is cut off"),
  }),
  maxAnswerTokens: z.int().positive().describe("Longest answer, in tokens"),
  nBest: z.int().positive().describe("Candidates kept for a question"),
  noAnswerAllowed: z
    .boolean()
    .describe("False for a model that never saw a question without an answer: the best span is always given"),
  threshold: z.strictObject({
    nullOdds: z.number().describe("No answer is given where the null odds, in logits, are above this"),
    basis: basisSchema,
  }),
  calibration: z
    .strictObject({
      method: z.enum(["logistic", "temperature"]),
      slope: z.number(),
      intercept: z.number(),
      basis: basisSchema,
    })
    .nullable()
    .describe("Probability of no answer = 1 / (1 + exp(−(slope × null odds + intercept))); null: nothing to fit on"),
  answerability: z
    .strictObject({ weight: z.number() })
    .nullable()
    .describe(
      "Null odds = null score − best span's score + weight × the answerability score; null: the model has none",
    ),
});
export type Decision = z.output<typeof decisionSchema>;
export type DecisionBasis = z.output<typeof basisSchema>;
export type WindowLimits = Decision["window"];

/**
 * Checks the content of a `decision.json`.
 *
 * @param where the file, for messages
 * @throws BertqaError if it is of another format version or breaks the schema
 */
export function parseDecision(stage: string, json: unknown, where: string): Decision {
  const remedy = "Run the evaluate stage again, and export the model again";
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion;
  if (version !== decisionFormatVersion) {
    const problem = `decision.json is of format version ${JSON.stringify(version)}, expected ${decisionFormatVersion}`;
    throw new BertqaError(stage, problem, { remedy, where });
  }
  const parsed = decisionSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new BertqaError(stage, `decision.json is not valid: ${issues.join("; ")}`, { remedy, where });
}

/** A span that could be the answer. */
export interface SpanCandidate extends PassageSpan {
  /** (1 − probability of no answer) × softmax over the scores of the n best spans. */
  readonly probability: number;
}

/** What is said about one question. */
export interface DecidedAnswer {
  /** The best span's text as it stands in the passage; "" for no answer. */
  readonly answer: string;
  /** The span given; null for no answer. */
  readonly span: PassageSpan | null;
  /** Probability of what is given: the span's, or that of no answer. */
  readonly probability: number;
  /**
   * The one probability of no answer that is shown to people: calibrated where the decision holds a calibration; without
   * one, the null odds read as log odds. 0 where no answer is not allowed, 1 where no span is eligible.
   */
  readonly noAnswerProbability: number;
  /** What the threshold is held against; {@link nullOddsWithoutSpan} where no span is eligible. */
  readonly nullOdds: number;
  /** The n best spans, best first, whatever is given. */
  readonly candidates: readonly SpanCandidate[];
}

/**
 * Decides on the answer to a question from its scored spans. The threshold alone decides between the best span and no
 * answer: it was chosen for the best score, so it need not lie where the probability is 0.5.
 *
 * @param found the question's best spans and null score, as `SpanSearch` gives them
 * @throws BertqaError if the decision needs an answerability score and `found` has none
 */
export function decide(found: FoundSpans, passage: Passage, decision: Decision): DecidedAnswer {
  const spans = spansOf(found, passage).slice(0, decision.nBest);
  const nullOdds = nullOddsOf(found) + answerabilityOdds(found, decision);
  const best = spans[0];
  const { noAnswerAllowed, calibration } = decision;
  const odds = { isAnswered: best !== undefined, nullOdds };
  const pNoAnswer = shownNoAnswerProbability(odds, calibration ?? uncalibrated, noAnswerAllowed);
  const probabilities = spanProbabilities(
    spans.map(({ score }) => score),
    pNoAnswer,
  );
  const candidates = spans.map((span, i) => ({ ...span, probability: probabilities[i] as number }));
  const isAnswered = best !== undefined && !(noAnswerAllowed && nullOdds > decision.threshold.nullOdds);
  return {
    answer: isAnswered ? best.text : "",
    span: isAnswered ? best : null,
    probability: isAnswered ? (candidates[0] as SpanCandidate).probability : pNoAnswer,
    noAnswerProbability: pNoAnswer,
    nullOdds,
    candidates,
  };
}

function answerabilityOdds(found: FoundSpans, { answerability }: Decision): number {
  if (!answerability) return 0;
  if (found.answerability !== undefined) return answerability.weight * found.answerability;
  throw new BertqaError("answers", "decision.json asks for an answerability score, which this model does not give", {
    remedy: "Take model and decision.json of one export",
  });
}
