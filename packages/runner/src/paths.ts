import { BertqaError, readJsonFile } from "@bertqa/core";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";

/** Where a pipeline and its artifacts lie. */
export interface PipelinePaths {
  readonly pipeline: string;
  readonly pipelineFolder: string;
  readonly artifactsFolder: string;
  /** The nearest folder above the pipeline's that holds `nx.json`, if any. */
  readonly workspaceFolder: string | undefined;
}

const projectSchema = z.object({
  name: z
    .string()
    .regex(/^[\w.-]+$/, "expected letters, digits, . _ or -")
    .optional(),
});
const pipelineSchema = z.strictObject({
  $schema: z.string().optional(),
  /** Stages whose artifact is another pipeline's: stage → name of the folder beside this one. */
  artifacts: z.record(z.string(), z.string()).default({}),
});

/**
 * The one rule for the place of artifacts, under Nx and by hand: `<workspace>/artifacts/<name>`, where the name is that of
 * `project.json`, else the folder's. Without a workspace they lie in the pipeline's own folder.
 */
export async function pipelinePaths(stage: string, folder: string): Promise<PipelinePaths> {
  const pipelineFolder = resolve(folder);
  if (!existsSync(pipelineFolder)) {
    throw new BertqaError(stage, `there is no folder ${folder}`, { remedy: "Name the folder of a pipeline" });
  }
  const projectPath = join(pipelineFolder, "project.json");
  const project = existsSync(projectPath) ? await readJsonFile(stage, projectPath, projectSchema) : {};
  const pipeline = project.name ?? basename(pipelineFolder);
  const workspaceFolder = workspaceOf(pipelineFolder);
  const artifactsFolder = join(workspaceFolder ?? pipelineFolder, "artifacts", pipeline);
  return { pipeline, pipelineFolder, artifactsFolder, workspaceFolder };
}

/** The folder itself or the nearest above it that holds `nx.json`, if any. */
export function workspaceOf(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "nx.json"))) return at;
    if (dirname(at) === at) return undefined;
  }
}

/** The pipeline whose artifact of `from` a stage reads: its own, or the one that `pipeline.json` names. */
export async function ownerOf(stage: string, paths: PipelinePaths, from: string): Promise<PipelinePaths> {
  const other = (await readSlots(stage, paths.pipelineFolder))[from];
  if (other === undefined) return paths;
  return pipelinePaths(stage, join(dirname(paths.pipelineFolder), other));
}

/** The slots of `pipeline.json`: stage → name of the folder beside this one whose artifact it takes; empty without the file. */
export async function readSlots(stage: string, pipelineFolder: string): Promise<Readonly<Record<string, string>>> {
  const file = join(pipelineFolder, "pipeline.json");
  if (!existsSync(file)) return {};
  return (await readJsonFile(stage, file, pipelineSchema)).artifacts;
}
