import { BertqaError } from "@bertqa/core";
import { createReporter, runStage } from "@bertqa/runner";
import { Command } from "commander";
import { z } from "zod";
import { findStage, stageNames } from "../stages.ts";

/** `bertqa stage <stage> <pipeline folder>`: what Nx runs, and what a person runs to debug one stage. */
export function stageCommand(): Command {
  return new Command("stage")
    .description("run one stage of a pipeline, as Nx does, without its cache")
    .argument("<stage>", stageNames.join(", "))
    .argument("[folder]", "the pipeline's folder, which holds <stage>.json")
    .option("--resume <folder>", "continue from another run's work in progress, which was moved aside")
    .option("--print-schema", "print the JSON schema of <stage>.json")
    .action(async (name: string, folder: string | undefined, { resume, printSchema }: StageFlags) => {
      const stage = await findStage(name);
      if (!stage) {
        throw new BertqaError("stage", `there is no stage "${name}"`, {
          remedy: `Choose one of ${stageNames.join(", ")}`,
        });
      }
      if (printSchema) {
        process.stdout.write(`${JSON.stringify(jsonSchemaOf(stage.options as z.ZodObject), null, 2)}\n`);
        return;
      }
      if (folder === undefined) {
        throw new BertqaError(name, "the pipeline's folder is missing", {
          remedy: `Run bertqa stage ${name} <folder>`,
        });
      }
      const artifact = await runStage(stage, folder, { reporter: createReporter(name), resume, findStage });
      process.stdout.write(`${artifact.folder}\n`);
    });
}

interface StageFlags {
  readonly resume?: string;
  readonly printSchema?: boolean;
}

/** The JSON schema that editors use for a stage's file; `$schema` itself is allowed in it. */
function jsonSchemaOf(schema: z.ZodObject): unknown {
  return z.toJSONSchema(schema.extend({ $schema: z.string().optional() }), { io: "input" });
}
