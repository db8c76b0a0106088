import { z } from "zod";

/** Options of `predict.json`. */
export const predictOptionsSchema = z.strictObject({
  maxAnswerTokens: z.int().min(1).max(512).default(30).describe("Longest answer, in tokens, 1 to 512"),
  nBest: z.int().min(1).max(1000).default(20).describe("Candidates kept for each question, 1 to 1000"),
  nullScoreDifferenceThreshold: z
    .number()
    .default(0)
    .describe("No answer is predicted where null score minus best span score, in logits, is above this"),
  noAnswer: z
    .enum(["auto", "allowed", "never"])
    .default("auto")
    .describe(
      'May predictions say that there is no answer? "auto": where some training question has none (SQuAD 2.0, not 1.1), made ones included',
    ),
  batchTokens: z
    .int()
    .min(1)
    .optional()
    .describe(
      "Tokens of a batch with its padding, 1 or more; one window always fits. Default: 3072 on a CPU, 49152 on a GPU",
    ),
  precision: z
    .enum(["auto", "bfloat16", "float32"])
    .default("auto")
    .describe('Inputs of matrix products; "auto": what the device does fastest'),
});

export type PredictOptions = z.output<typeof predictOptionsSchema>;
