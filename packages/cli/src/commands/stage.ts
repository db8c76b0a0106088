import { BertqaError } from "@bertqa/core";
import { createReporter, runStage } from "@bertqa/runner";
import { z } from "zod";
import { findPipeline } from "../pipeline-files.ts";
import { findStage, stageNames } from "../stages.ts";

export interface StageFlags {
  readonly resume?: string;
  readonly printSchema?: boolean;
}

/**
 * Runs one stage of a pipeline, whose folder holds `<stage>.json`: what Nx runs, and what a person runs to debug one stage. Prints
 * the artifact's folder.
 */
export async function stage(name: string, folder: string | undefined, flags: StageFlags): Promise<void> {
  const found = await findStage(name);
  if (!found) {
    const remedy = `Choose one of ${stageNames.join(", ")}`;
    throw new BertqaError("stage", `there is no stage "${name}"`, { remedy });
  }
  if (flags.printSchema) {
    process.stdout.write(`${JSON.stringify(jsonSchemaOf(found.options as z.ZodObject), null, 2)}\n`);
    return;
  }
  if (folder === undefined) {
    const remedy = `Run bertqa stage ${name} <folder>`;
    throw new BertqaError(name, "the pipeline's folder is missing", { remedy });
  }
  const pipeline = findPipeline(name, folder) ?? folder;
  const artifact = await runStage(found, pipeline, { reporter: createReporter(name), resume: flags.resume, findStage });
  process.stdout.write(`${artifact.folder}\n`);
}

/** The JSON schema that editors use for a stage's file; `$schema` itself is allowed in it. */
function jsonSchemaOf(schema: z.ZodObject): unknown {
  return z.toJSONSchema(schema.extend({ $schema: z.string().optional() }), { io: "input" });
}
