import { z } from "zod";

/** `tokenize.json`: how questions and passages become windows. */
export const tokenizeOptionsSchema = z.strictObject({
  maxTokens: z
    .int()
    .min(8)
    .max(4096)
    .default(384)
    .describe("Tokens of a window at most, question and special tokens included; up to the encoder's positions"),
  windowOverlapTokens: z
    .int()
    .nonnegative()
    .default(128)
    .describe("Context tokens that two neighbouring windows share; 0 or more, below what the question leaves"),
  maxQuestionTokens: z
    .int()
    .positive()
    .default(64)
    .describe("Tokens of a question at most; the rest of a longer one is cut off, and counted"),
  tuneShare: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe(
      "Share of the train questions held out for thresholds and calibration, as whole articles or, where these miss it, as whole passages; 0 to 0.5",
    ),
  madeUnanswerableShare: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe(
      "Unanswerable train questions are made for each article with a smaller share of them, up to this one; articles of one passage count together; 0 makes none",
    ),
  seed: z
    .int()
    .nonnegative()
    .default(42)
    .describe("Seed of the choice of held-out articles, and of what is put into made questions"),
  windowsPerShard: z
    .int()
    .positive()
    .max(65_536)
    .default(16_384)
    .describe("Windows of an Arrow file at most; 1 to 65,536"),
  workers: z
    .int()
    .positive()
    .max(1024)
    .optional()
    .describe("Threads of the tokenizer; default: all cores. The result does not depend on it"),
});
export type TokenizeOptions = z.output<typeof tokenizeOptionsSchema>;
