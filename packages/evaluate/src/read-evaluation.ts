import { openArtifact, readJsonFile, type Artifact } from "@bertqa/core";
import { z } from "zod";
import { thresholdKinds } from "./results.ts";

export const reportFile = "report.json";

/** The part of `report.json` that comparisons need. */
const comparableSchema = z.object({
  formatVersion: z.literal(2),
  primary: z.enum(["tuned", "zero"]),
  scores: z.array(z.object({ kind: z.enum(thresholdKinds), nullOddsThreshold: z.number() })),
  questions: z.array(
    z.object({
      id: z.string(),
      article: z.string(),
      answerable: z.boolean(),
      prediction: z.string(),
      exact: z.number(),
      f1: z.number(),
      nullOdds: z.number(),
      bestSpan: z.string(),
      bestSpanExact: z.number(),
      bestSpanF1: z.number(),
    }),
  ),
});
export type ComparableEvaluation = z.output<typeof comparableSchema>;

/** Opens an evaluation artifact. @throws BertqaError as `openArtifact` does, or if `report.json` breaks its schema */
export async function openEvaluation(
  stage: string,
  folder: string,
): Promise<{ artifact: Artifact; evaluation: ComparableEvaluation }> {
  const artifact = await openArtifact(stage, folder, "evaluation");
  return { artifact, evaluation: await readJsonFile(stage, await artifact.file(reportFile), comparableSchema) };
}
