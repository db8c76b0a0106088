import { nullOddsThresholdSchema, plainScoreSchema } from "@bertqa/core";
import { z } from "zod";

const estimateSchema = z.object({
  value: z.number(),
  /** 95 %, by bootstrap over articles; null from fewer than two. */
  interval: z.tuple([z.number(), z.number()]).nullable(),
});
const scoreSchema = z.object({ exact: estimateSchema, f1: estimateSchema, total: z.int() });

/** The part of evaluate's `report.json` that a model card shows. Scores are percentages. */
export const reportSchema = z.object({
  formatVersion: z.literal(2),
  primary: z.string(),
  counts: z.object({ questions: z.int(), answerable: z.int(), unanswerable: z.int(), articles: z.int() }),
  scores: z.array(
    z.object({
      kind: z.string(),
      label: z.string(),
      nullOddsThreshold: nullOddsThresholdSchema,
      all: scoreSchema,
      hasAns: scoreSchema.nullable(),
      noAns: scoreSchema.nullable(),
    }),
  ),
  breakdowns: z.array(
    z.object({
      by: z.string(),
      groups: z.array(z.object({ label: z.string(), exact: z.number(), f1: z.number(), total: z.int() })),
    }),
  ),
  /** At the primary threshold; left out where the dataset has no sanity set. */
  sanity: z.object({ all: plainScoreSchema }).exactOptional(),
  remarks: z.array(z.string()),
});
export type Report = z.output<typeof reportSchema>;
export type Estimate = z.output<typeof estimateSchema>;
