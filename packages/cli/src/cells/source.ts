import { BertqaError, readJsonFile } from "@bertqa/core";
import { readSlots } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { findPipeline, pipelineFolders } from "../pipeline-files.ts";
import { stageNames } from "../stages.ts";

/** The pipeline whose artifact a stage's is, and whose options file it has. */
export interface StageOwner {
  /** Name of its folder, as pipeline.json writes it. */
  readonly folderName: string;
  readonly folder: string;
  /** Name of its project, as Nx knows it. */
  readonly project: string;
}

/** A pipeline that cells are made of. */
export interface SourcePipeline {
  readonly project: Readonly<Record<string, unknown>>;
  readonly targets: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The folder that holds pipelines. */
  readonly parentFolder: string;
  /** For each of its stages: itself, or the pipeline whose artifact it takes already. */
  readonly owners: ReadonlyMap<string, StageOwner>;
}

const projectSchema = z.looseObject({
  name: z.string(),
  targets: z.record(z.string(), z.record(z.string(), z.unknown())),
});

/**
 * Reads a pipeline to make cells of.
 *
 * @param like its folder, the folder's name under `pipelines/`, or its project's name
 * @throws BertqaError if there is none
 */
export async function readSource(like: string): Promise<SourcePipeline> {
  const found = findPipeline("new", like);
  if (found === undefined) {
    const names = pipelineFolders().map((folder) => basename(folder));
    const remedy = `Name one of ${names.join(", ")}`;
    throw new BertqaError("new", `there is no pipeline ${JSON.stringify(like)}`, { remedy });
  }
  const folder = resolve(found);
  const slots = await readSlots("new", folder);
  const { targets, ...project } = await readProject(folder);
  const parentFolder = dirname(folder);
  const owners = new Map<string, StageOwner>();
  for (const stage of stageNames) {
    const ownerFolder = slots[stage] === undefined ? folder : join(parentFolder, slots[stage]);
    if (!existsSync(join(ownerFolder, `${stage}.json`))) continue;
    const { name } = await readProject(ownerFolder);
    owners.set(stage, { folderName: basename(ownerFolder), folder: ownerFolder, project: name });
  }
  return { project, targets, parentFolder, owners };
}

function readProject(folder: string) {
  return readJsonFile("new", join(folder, "project.json"), projectSchema);
}
