import { Command } from "commander";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Artifact } from "./artifact.ts";
import { runCommand } from "./cli.ts";
import { readOptions } from "./options.ts";
import { createReporter, type Reporter } from "./report.ts";

/** What a stage's `run` function gets besides its options. */
export interface StageFolders {
  /** Folder of the pipeline: its JSON files, and local sources. */
  readonly pipelineFolder: string;
  /** Folder of all the pipeline's artifacts; each stage's lies in a folder named after the stage. */
  readonly artifactsFolder: string;
}

export type StageRun<Options> = (options: Options, folders: StageFolders, reporter: Reporter) => Promise<Artifact>;

/** A stage as the command line sees it. */
export interface StageCommand<Schema extends z.ZodObject> {
  readonly stage: string;
  readonly summary: string;
  readonly optionsSchema: Schema;
  readonly run: StageRun<z.output<Schema>>;
}

/** Where a stage's artifact lies. */
export function stageArtifactFolder(folders: StageFolders, stage: string): string {
  return join(folders.artifactsFolder, stage);
}

/**
 * Runs a stage from the command line: `bertqa-<stage> <pipeline folder> --artifacts <folder>`. Options come from
 * `<pipeline folder>/<stage>.json` alone, since they are an input of the cache. Prints the artifact's path on stdout.
 */
export async function runStageCommand<Schema extends z.ZodObject>(command: StageCommand<Schema>): Promise<void> {
  const { stage, summary, optionsSchema, run } = command;
  const program = new Command(`bertqa-${stage}`)
    .description(summary)
    .argument("[pipeline]", `folder that holds ${stage}.json`)
    .option("--artifacts <folder>", "folder of the pipeline's artifacts (default: artifacts/<pipeline folder's name>)")
    .option("--print-schema", `print the JSON schema of ${stage}.json and exit`)
    .option("--debug", "print the stack of an error")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse();
  const { artifacts, printSchema } = program.opts<{ artifacts?: string; printSchema?: boolean }>();
  if (printSchema) {
    process.stdout.write(`${JSON.stringify(jsonSchemaOf(optionsSchema), null, 2)}\n`);
    return;
  }
  const pipelineFolder = program.args[0];
  if (!pipelineFolder) return program.error("error: missing argument: the pipeline's folder", { exitCode: 2 });
  const artifactsFolder = artifacts ?? join("artifacts", pipelineFolder.split(/[/\\]/).filter(Boolean).at(-1) ?? "");
  await runCommand(async () => {
    const options = await readOptions(stage, join(pipelineFolder, `${stage}.json`), optionsSchema);
    const folders = { pipelineFolder, artifactsFolder };
    // An earlier run's artifact must not pass for this one's if this one fails; what is worth keeping is in the cache.
    await rm(stageArtifactFolder(folders, stage), { recursive: true, force: true });
    const artifact = await run(options, folders, createReporter(stage));
    process.stdout.write(`${artifact.folder}\n`);
  });
}

/** The JSON schema that editors use for a stage's file; `$schema` itself is allowed in it. */
function jsonSchemaOf(schema: z.ZodObject): unknown {
  return z.toJSONSchema(schema.extend({ $schema: z.string().optional() }), { io: "input" });
}
