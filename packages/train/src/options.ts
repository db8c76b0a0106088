import { z } from "zod";

/** Options of the train stage: `pipelines/<name>/train.json`. */
export const trainOptionsSchema = z.strictObject({
  epochs: z.int().positive().default(2).describe("Passes over the training windows"),
  maxSteps: z.int().positive().optional().describe("Stop after this many optimizer steps; the schedule ends there too"),
  objective: z
    .enum(["positions", "answerability"])
    .default("positions")
    .describe(
      '"positions": start and end over all tokens, [CLS] for no answer, as in run_qa. "answerability": start and end over the passage, and a binary loss on the null odds',
    ),
  answerabilityWeight: z
    .number()
    .positive()
    .default(1)
    .describe('Weight of the binary loss beside the span loss; for objective "answerability"'),
  plausibleWeight: z
    .number()
    .min(0)
    .default(1)
    .describe(
      'Weight of the span loss on plausible answers of unanswerable questions; 0 leaves them out; for objective "answerability"',
    ),
  rDropWeight: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "R-Drop: each window passes twice, with other dropout, and the divergence of what the two passes say, times this, joins the loss. Twice the time, and the memory, where microBatchWindows is not half as many. 0 turns it off",
    ),
  batchWindows: z.int().positive().default(16).describe("Windows per optimizer step"),
  microBatchWindows: z
    .int()
    .positive()
    .optional()
    .describe("Windows per forward and backward pass; gradients accumulate up to batchWindows. Default: batchWindows"),
  learningRate: z.number().positive().max(1).default(5e-5).describe("Peak of the schedule"),
  warmupShare: z.number().min(0).max(1).default(0.1).describe("Share of all steps with a linearly rising rate, 0 to 1"),
  weightDecay: z
    .number()
    .min(0)
    .default(0.01)
    .describe("Decoupled decay, times the learning rate; not on biases and LayerNorm"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("Decay of AdamW's first moment"),
  beta2: z.number().min(0).lt(1).default(0.999).describe("Decay of AdamW's second moment"),
  epsilon: z.number().positive().default(1e-8).describe("AdamW's epsilon"),
  maxGradientNorm: z
    .number()
    .positive()
    .default(1)
    .describe("Gradients are scaled down to this global L2 norm; the weights' own units"),
  hiddenDropout: z.number().min(0).lt(1).optional().describe("Default: the encoder's config.json"),
  attentionDropout: z.number().min(0).lt(1).optional().describe("Default: the encoder's config.json"),
  precision: z
    .enum(["auto", "bfloat16", "float32"])
    .default("auto")
    .describe("Inputs of matrix products; auto takes what the device computes fastest"),
  recomputeLayers: z
    .boolean()
    .default(false)
    .describe("Compute each layer again in the backward pass: less memory, more time"),
  lengthGroupBatches: z
    .int()
    .positive()
    .default(50)
    .describe("Windows of similar length share a batch within shuffled groups of this many batches; 1 turns it off"),
  seed: z.int().nonnegative().default(42).describe("Of the head's initial weights, the order of windows and dropout"),
  logEverySteps: z.int().positive().default(10).describe("Steps between rows of log.jsonl"),
  checkpointEverySteps: z.int().positive().default(200).describe("Steps between checkpoints, from which a run resumes"),
});

export type TrainOptions = z.output<typeof trainOptionsSchema>;
