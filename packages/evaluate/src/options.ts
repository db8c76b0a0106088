import { z } from "zod";

/** Resamples behind a bagged threshold: another seed moves their mean far less than another tune split would. */
export const thresholdResamples = 1000;

/** Options of `evaluate.json`. */
export const evaluateOptionsSchema = z.strictObject({
  bootstrapSamples: z
    .int()
    .min(10)
    .max(100_000)
    .default(1000)
    .describe("Resamples of the articles behind each 95 % interval, 10 to 100,000"),
  seed: z.int().nonnegative().default(42).describe("Seed of all resamples"),
  calibration: z
    .enum(["logistic", "temperature", "none"])
    .default("logistic")
    .describe(
      'How null odds become a probability of no answer, fitted on held-out questions; "temperature" fits no offset',
    ),
  expectedNoAnswerShare: z
    .union([z.number().gt(0).lt(1), z.enum(["tune", "estimate"])])
    .default("tune")
    .describe(
      'Share of questions without an answer that threshold and calibration are made for: 0 to 1, where you know it; "tune": as among the held-out questions; "estimate": from the null odds of the dev questions, whose answers are not read',
    ),
  tuneArticles: z
    .enum(["all", "bothKinds"])
    .default("all")
    .describe(
      'Held-out articles that threshold and calibration are chosen on; "bothKinds": those that hold questions with and without an answer, where these are 30 questions at least, for data in which some articles were never given the latter, as SQuAD 2.0\'s train file',
    ),
  thresholdRule: z
    .enum(["bagged", "best"])
    .default("bagged")
    .describe(
      `How the threshold is chosen on the held-out questions; "best": the one with the highest F1 there; "bagged": the mean of those over ${thresholdResamples.toLocaleString("en-US")} resamples of the questions, which is steadier where the F1 is flat`,
    ),
  reliabilityBins: z.int().min(2).max(100).default(10).describe("Bins of the reliability curve, 2 to 100"),
});
export type EvaluateOptions = z.output<typeof evaluateOptionsSchema>;
