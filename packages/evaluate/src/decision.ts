import type { Manifest } from "@bertqa/core";
import { decisionFormatVersion, parseDecision, type Decision, type DecisionBasis } from "@bertqa/answers";
import type { Evaluation, ThresholdScores } from "@bertqa/report";
import { articleKey, type Question } from "@bertqa/squad";
import { thresholdResamples, type EvaluateOptions } from "./options.ts";

/** What decides how the model's logits become answers, beside the evaluation. */
export interface DecisionSources {
  readonly evaluation: Evaluation;
  /** The held-out questions that threshold and calibration were chosen on; empty where there are none or too few. */
  readonly tuneQuestions: readonly Question[];
  /** Why there are none, as analyse says it; null where there are some. */
  readonly whyUntuned: string | null;
  readonly tuneArticles: EvaluateOptions["tuneArticles"];
  /** Manifests of tokenize's and predict's artifacts. */
  readonly windows: Manifest;
  readonly predictions: Manifest;
  /** The predictions' folder, for messages. */
  readonly where: string;
}

/**
 * The content of `decision.json`: the limits under which the questions were predicted, and the primary threshold and the
 * calibration with the questions that they were chosen on.
 *
 * @throws BertqaError if the artifacts say no limits
 */
export function decisionOf(sources: DecisionSources): Decision {
  const { evaluation, tuneQuestions, whyUntuned, tuneArticles, windows, predictions, where } = sources;
  const { maxTokens, windowOverlapTokens, maxQuestionTokens } = windows.options;
  const { maxAnswerTokens, nBest } = predictions.options;
  const { calibration, share } = evaluation.noAnswer;
  const { method, slope, intercept, fittedOn } = calibration;
  const percent = (100 * share.expected).toFixed(0);
  const origin = share.rule === "stated" ? "as stated" : "estimated without labels";
  const articles = tuneArticles === "bothKinds" ? ", in articles with both kinds of question" : "";
  const shift = share.rule === "tune" ? "" : `, weighted to ${percent} % of questions without an answer (${origin})`;
  const weighting = `${articles}${shift}`;
  const primary = evaluation.scores.find(({ kind }) => kind === evaluation.primary) as ThresholdScores;
  const bestF1 = "highest F1, of equally good ones the nearest to 0";
  const resamples = thresholdResamples.toLocaleString("en-US");
  const bagged = `mean, over ${resamples} resamples of the questions, of the thresholds with ${bestF1}`;
  const tunedRule = primary.rule === "bagged" ? bagged : bestF1;
  const thresholdRule = {
    tuned: `${tunedRule}${weighting}`,
    zero: `0, as ${whyUntuned}`,
    always: `none, as ${whyUntuned}`,
  }[evaluation.primary];
  const calibrationRule = `maximum likelihood, with a weak Gaussian prior${weighting}`;
  const decision = {
    formatVersion: decisionFormatVersion,
    window: { maxTokens, windowOverlapTokens, maxQuestionTokens },
    maxAnswerTokens,
    nBest,
    noAnswerAllowed: predictions.resolved["noAnswerAllowed"],
    threshold: { nullOdds: primary.nullOddsThreshold ?? 0, basis: basisOf(tuneQuestions, thresholdRule) },
    calibration:
      fittedOn === "nothing" ? null : { method, slope, intercept, basis: basisOf(tuneQuestions, calibrationRule) },
    answerability: null,
  };
  return parseDecision("evaluate", decision, where);
}

function basisOf(questions: readonly Question[], rule: string): DecisionBasis {
  const answerable = questions.filter(({ answers }) => answers.length > 0).length;
  const articles = new Set(questions.map(articleKey)).size;
  const total = questions.length;
  return {
    kind: total > 0 ? "tune" : "nothing",
    questions: total,
    answerable,
    unanswerable: total - answerable,
    articles,
    text: total > 0 ? `tune: ${total} questions of ${articles} articles` : "nothing",
    rule,
  };
}
