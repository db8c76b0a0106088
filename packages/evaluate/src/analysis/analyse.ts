import {
  articleKey,
  calibrate,
  expectedCalibrationError,
  noAnswerHistograms,
  noAnswerProbability,
  precisionRecallCurves,
  rankQuestions,
  reliabilityBins,
  sweepThresholds,
  type OddsQuestion,
  type Question,
} from "@bertqa/squad";
import type { EvaluateOptions } from "../options.ts";
import type { Evaluation, NoAnswerAnalysis, ThresholdScores } from "../results.ts";
import { numberClusters } from "./bootstrap.ts";
import { breakDown } from "./breakdowns.ts";
import { judgeSpans, resultAt, type SplitPredictions } from "./judge.ts";
import { chooseThresholds, neverAnswering, scoreThresholds } from "./scores.ts";

/** Below so many articles, resampling them says little about the next ones. */
const fewArticles = 20;
const sweepPoints = 200;

/** A split's questions with what predict says of them. */
export interface AnsweredSplit extends SplitPredictions {
  readonly questions: readonly Question[];
  /** The predictions' folder, for messages. */
  readonly where: string;
}

/**
 * All that evaluate finds out. Thresholds and calibration come from `tune` alone; of dev's own best thresholds the result
 * says that they are dev's.
 *
 * @param tune questions held out of training; null where there are none
 * @throws BertqaError naming the questions without a prediction
 */
export function analyse(dev: AnsweredSplit, tune: AnsweredSplit | null, options: EvaluateOptions): Evaluation {
  const judged = judgeSpans(dev.questions, dev, dev.where);
  const judgedTune = tune ? judgeSpans(tune.questions, tune, tune.where) : [];
  const articleOfQuestion = numberClusters(dev.questions.map(articleKey));
  const articles = new Set(articleOfQuestion).size;
  const { bootstrapSamples: samples, seed } = options;
  const thresholds = chooseThresholds(judged, judgedTune);
  const scores = scoreThresholds(judged, articleOfQuestion, thresholds, { samples, seed });
  const primary = judgedTune.length > 0 ? "tuned" : "zero";
  const { nullOddsThreshold } = scores.find(({ kind }) => kind === primary) as ThresholdScores;
  const noAnswer = analyseNoAnswer(judged, judgedTune, options);
  const questions = dev.questions.map((question, i) => {
    const probability = noAnswerProbability(noAnswer.calibration, (judged[i] as OddsQuestion).nullOdds);
    const bestSpan = dev.bestSpans[question.id] as string;
    return resultAt(question, judged[i] as OddsQuestion, bestSpan, nullOddsThreshold, probability);
  });
  const answerable = judged.filter(({ hasAns }) => hasAns).length;
  const odds = new Map(judged.map(({ id, nullOdds }) => [id, nullOdds]));
  return {
    formatVersion: 2,
    counts: {
      questions: judged.length,
      answerable,
      unanswerable: judged.length - answerable,
      articles,
      tuneQuestions: judgedTune.length,
    },
    bootstrap: { samples, seed, level: 0.95, articles },
    scores,
    primary,
    neverAnswering: neverAnswering(judged),
    curves: precisionRecallCurves(rankQuestions(judged, odds)),
    thresholdSweep: sweepThresholds(judged, sweepPoints),
    noAnswer,
    breakdowns: breakDown(questions.map(({ exact, f1 }, i) => ({ question: dev.questions[i] as Question, exact, f1 }))),
    questions,
    remarks: remarksOn(articles, judgedTune.length),
  };
}

function analyseNoAnswer(
  dev: readonly OddsQuestion[],
  tune: readonly OddsQuestion[],
  options: EvaluateOptions,
): NoAnswerAnalysis {
  const calibration = calibrate(tune, options.calibration);
  const forecasts = dev.map(({ hasAns, nullOdds }) => ({
    probability: noAnswerProbability(calibration, nullOdds),
    isUnanswerable: !hasAns,
  }));
  const reliability = reliabilityBins(forecasts, options.reliabilityBins);
  return {
    calibration,
    reliability,
    expectedCalibrationError: expectedCalibrationError(reliability),
    histograms: noAnswerHistograms(
      forecasts.map(({ probability, isUnanswerable }) => ({ hasAns: !isUnanswerable, naProb: probability })),
    ),
  };
}

function remarksOn(articles: number, tuneQuestions: number): string[] {
  const remarks: string[] = [];
  if (tuneQuestions === 0) {
    remarks.push(
      "No questions were held out of training, so there is no tuned threshold and no calibration: set tuneShare in tokenize.json.",
    );
  }
  if (articles < fewArticles) {
    const count = articles === 1 ? "1 article" : `${articles} articles`;
    remarks.push(`The intervals come from ${count} only, which is few: take them as a lower bound of the uncertainty.`);
  }
  remarks.push(
    "A threshold that is best on dev saw the answers it is scored on: compare it with other such numbers only.",
  );
  return remarks;
}
