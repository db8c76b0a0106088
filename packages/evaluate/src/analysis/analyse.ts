import { countOf, type QuestionResult } from "@bertqa/core";
import type { Evaluation, NoAnswerAnalysis, ThresholdScores } from "@bertqa/report";
import {
  articleKey,
  calibrate,
  estimateNoAnswerShare,
  expectedCalibrationError,
  noAnswerHistograms,
  noAnswerShareOf,
  precisionRecallCurves,
  rankQuestions,
  reliabilityBins,
  shownNoAnswerProbability,
  sweepThresholds,
  weightsForShare,
  type NoAnswerShare,
  type OddsQuestion,
  type Question,
} from "@bertqa/squad";
import type { EvaluateOptions } from "../options.ts";
import { numberClusters } from "./bootstrap.ts";
import { breakDown } from "./breakdowns.ts";
import { resultsAt, scoreSpans, type AnsweredSplit } from "./results.ts";
import { alwaysAnswering, chooseThresholds, neverAnswering, scoreThresholds } from "./scores.ts";
import { fewestTuneQuestions } from "./tune-articles.ts";

/** Below so many articles, resampling them says little about the next ones. */
const fewArticles = 20;
const sweepPoints = 200;

/** All that evaluate finds out: of dev as a whole, and of each of its questions, in their order. */
export interface Analysis {
  readonly evaluation: Evaluation;
  readonly results: readonly QuestionResult[];
  /** The held-out questions that threshold and calibration were chosen on; empty where none were. */
  readonly tuneQuestions: readonly Question[];
  /** Why there is no tuned threshold, to go on after "as"; null where there is one. */
  readonly whyUntuned: string | null;
}

/**
 * Analyses predictions. Thresholds and calibration come from `tune` alone; of dev's own best thresholds the result says
 * that they are dev's.
 *
 * @param tune            questions held out of training; null where there are none
 * @param noAnswerAllowed whether the predictions may say that there is no answer; else the best span is scored, as it is always given
 * @throws BertqaError naming the questions without a prediction
 */
export function analyse(
  dev: AnsweredSplit,
  tune: AnsweredSplit | null,
  options: EvaluateOptions,
  noAnswerAllowed = true,
): Analysis {
  const scored = scoreSpans(dev);
  const allHeldOut = tune ? scoreSpans(tune) : [];
  const heldOut = allHeldOut.filter(({ isAnswered }) => isAnswered);
  const whyUntuned = noAnswerAllowed
    ? reasonAgainstTuning(heldOut, allHeldOut.length)
    : "an answer is always given (noAnswer in predict.json)";
  const scoredTune = whyUntuned === null ? heldOut : [];
  const articleOfQuestion = numberClusters(dev.questions.map(articleKey));
  const articles = new Set(articleOfQuestion).size;
  const { bootstrapSamples: samples, seed } = options;
  const share = expectedShare(scoredTune, oddsOfSpans(dev), options);
  const thresholds = noAnswerAllowed
    ? chooseThresholds(scored, scoredTune, { rule: options.thresholdRule, seed, share })
    : [alwaysAnswering];
  const scores = scoreThresholds(scored, articleOfQuestion, thresholds, { samples, seed });
  const primary = !noAnswerAllowed ? "always" : whyUntuned === null ? "tuned" : "zero";
  const { nullOddsThreshold } = scores.find(({ kind }) => kind === primary) as ThresholdScores;
  const noAnswer = analyseNoAnswer(noAnswerAllowed ? scored : [], scoredTune, options, share);
  const results = resultsAt(nullOddsThreshold, dev, scored, noAnswer.calibration);
  const answerable = scored.filter(({ hasAns }) => hasAns).length;
  const odds = new Map(scored.map(({ id, nullOdds }) => [id, nullOdds]));
  const evaluation: Evaluation = {
    formatVersion: 2,
    counts: {
      questions: scored.length,
      answerable,
      unanswerable: scored.length - answerable,
      articles,
      tuneQuestions: scoredTune.length,
    },
    bootstrap: { samples, seed, level: 0.95, articles },
    scores,
    primary,
    neverAnswering: neverAnswering(scored),
    curves: precisionRecallCurves(rankQuestions(scored, odds)),
    thresholdSweep: noAnswerAllowed ? sweepThresholds(scored, sweepPoints) : [],
    noAnswer,
    breakdowns: breakDown(results.map(({ exact, f1 }, i) => ({ question: dev.questions[i] as Question, exact, f1 }))),
    remarks: [
      ...remarksOn(articles, primary, whyUntuned),
      ...remarksOnShare(share),
      ...remarksOnSpans(allHeldOut.length - heldOut.length, primary),
    ],
  };
  const chosenOn = new Set(scoredTune.map(({ id }) => id));
  const tuneQuestions = tune?.questions.filter(({ id }) => chosenOn.has(id)) ?? [];
  return { evaluation, results, tuneQuestions, whyUntuned };
}

/** Null odds of all questions of a split with a span to give, unlabelled ones too. */
function oddsOfSpans({ bestSpans, nullOdds }: AnsweredSplit): number[] {
  return Object.entries(nullOdds).flatMap(([id, odds]) => (bestSpans[id] === "" ? [] : odds));
}

/** @param devOdds null odds of all dev questions with a span: of them no answer, nor whether there is one, is known here */
function expectedShare(
  tune: readonly OddsQuestion[],
  devOdds: readonly number[],
  { expectedNoAnswerShare: wanted }: EvaluateOptions,
): NoAnswerShare {
  const given = noAnswerShareOf(tune);
  if (wanted === "tune" || given === 0) return { rule: "tune", tune: given, expected: given };
  if (wanted !== "estimate") return { rule: "stated", tune: given, expected: wanted };
  return {
    rule: "estimated",
    tune: given,
    expected: estimateNoAnswerShare(calibrate(tune, "logistic"), given, devOdds),
  };
}

function remarksOnShare({ rule, tune, expected }: NoAnswerShare): string[] {
  if (rule === "tune") return [];
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const how = rule === "stated" ? "as evaluate.json states" : "as estimated from dev's null odds, without its answers";
  return [
    `Threshold and calibration are made for ${percent(expected)} of questions without an answer, ${how}; among the held-out questions it is ${percent(tune)}.`,
  ];
}

function remarksOnSpans(withoutSpan: number, primary: Evaluation["primary"]): string[] {
  if (withoutSpan === 0 || primary !== "tuned") return [];
  return [
    `${countOf(withoutSpan, "held-out question")} without a span to give took no part in the choice of threshold and calibration.`,
  ];
}

/** @param dev empty where an answer is always given: then nothing is forecast */
function analyseNoAnswer(
  dev: readonly OddsQuestion[],
  tune: readonly OddsQuestion[],
  options: EvaluateOptions,
  share: NoAnswerShare,
): NoAnswerAnalysis {
  const calibration = calibrate(tune, options.calibration, weightsForShare(tune, share.expected));
  const forecasts = dev.map((question) => {
    return { hasAns: question.hasAns, naProb: shownNoAnswerProbability(question, calibration, true) };
  });
  const reliability = reliabilityBins(
    forecasts.map(({ hasAns, naProb }) => ({ probability: naProb, isUnanswerable: !hasAns })),
    options.reliabilityBins,
  );
  return {
    calibration,
    share,
    reliability,
    expectedCalibrationError: expectedCalibrationError(reliability),
    histograms: noAnswerHistograms(forecasts),
  };
}

/** @param heldOut those of `total` with a span */
function reasonAgainstTuning(heldOut: readonly OddsQuestion[], total: number): string | null {
  if (total === 0) return "no questions were held out of training (tuneShare in tokenize.json)";
  const answerable = heldOut.filter(({ hasAns }) => hasAns).length;
  const counts = `${answerable} with an answer, ${heldOut.length - answerable} without`;
  const ofAll = heldOut.length < total ? ` with a span to give, of ${total}` : "";
  const subject = `the ${countOf(heldOut.length, "question")}${ofAll} held out of training (${counts})`;
  if (heldOut.length < fewestTuneQuestions) return `${subject} are too few`;
  return answerable === 0 || answerable === heldOut.length ? `${subject} are of one kind` : null;
}

function remarksOn(articles: number, primary: Evaluation["primary"], whyUntuned: string | null): string[] {
  const remarks: string[] = [];
  if (primary === "always") {
    remarks.push(`There is no threshold, and the probability of no answer is 0, as ${whyUntuned}.`);
  }
  if (primary === "zero") {
    remarks.push(`There is no tuned threshold and no calibration, and the threshold is 0, as ${whyUntuned}.`);
  }
  if (articles === 1) {
    remarks.push("All questions are of 1 article, so there are no intervals: it tells nothing of how articles differ.");
  } else if (articles < fewArticles) {
    remarks.push(
      `The intervals come from ${articles} articles only, which is few: take them as a lower bound of the uncertainty.`,
    );
  }
  if (primary !== "always") {
    remarks.push(
      "A threshold that is best on dev saw the answers it is scored on: compare it with other such numbers only.",
    );
  }
  return remarks;
}
