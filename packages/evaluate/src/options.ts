import { z } from "zod";

/** Options of `evaluate.json`. */
export const evaluateOptionsSchema = z.strictObject({
  bootstrapSamples: z
    .int()
    .min(10)
    .max(100_000)
    .default(1000)
    .describe("Resamples of the articles behind each 95 % interval, 10 to 100,000"),
  seed: z.int().nonnegative().default(42).describe("Seed of the resamples"),
  calibration: z
    .enum(["logistic", "temperature", "none"])
    .default("logistic")
    .describe(
      'How null odds become a probability of no answer, fitted on held-out questions; "temperature" fits no offset',
    ),
  reliabilityBins: z.int().min(2).max(100).default(10).describe("Bins of the reliability curve, 2 to 100"),
});
export type EvaluateOptions = z.output<typeof evaluateOptionsSchema>;
