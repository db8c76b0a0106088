import { BertqaError } from "@bertqa/core";
import { readdirSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import { nxSettings, type NxInput } from "./nx-cache.ts";
import type { PipelinePaths } from "./paths.ts";
import { startedMsOf } from "./processes.ts";

/** A process's start is known to some hundredths of a second; Nx, which has to load first, reads no file so early. */
const uncertaintyMs = 100;

/**
 * Refuses to work for an Nx that hashed other files than lie here now. Nx hashes them when it starts, for stages that start hours later
 * too: what one of them makes of an option or of code that was saved in between, Nx would keep, and share, as the result of what was
 * there before.
 *
 * @param localFiles files of the user's own that the stage reads, which a command of Nx's inputs hashed
 * @param environment of the stage's process; without Nx's variables nothing is checked
 * @throws BertqaError naming a file that was changed since
 */
export function refuseChangedInputs(
  stage: string,
  { pipelineFolder, workspaceFolder }: PipelinePaths,
  localFiles: readonly string[] = [],
  environment: NodeJS.ProcessEnv = process.env,
): void {
  const startedMs = startedMsOf(Number(environment["NX_INVOCATION_ANCESTOR_PIDS"]?.split(",").at(-1)));
  if (environment["NX_TASK_HASH"] === undefined || startedMs === undefined || workspaceFolder === undefined) return;
  const { namedInputs = {}, targetDefaults = {} } = nxSettings(workspaceFolder);
  const paths = (targetDefaults[stage]?.inputs ?? []).flatMap((input) => {
    if (typeof input === "string") return pathsIn(pipelineFolder, [input]);
    const named = namedInputs[input.input ?? ""] ?? [];
    return (input.projects ?? []).flatMap((name) => pathsIn(join(workspaceFolder, "packages", name), named));
  });
  // Not mtime, which a file that is copied or moved there brings along.
  const files = [...paths.flatMap(filesAt), ...localFiles];
  const changed = files.find((path) => (statOf(path)?.ctimeMs ?? 0) > startedMs + uncertaintyMs);
  if (changed === undefined) return;
  throw new BertqaError(
    stage,
    "a file was changed after Nx had started, which would keep the result as that of before",
    {
      remedy: "Run the command again: what was made comes from the cache",
      where: changed,
    },
  );
}

/** `{projectRoot}/src/**\/*` → the folder `src` of the project; other inputs name no files of its own. */
function pathsIn(projectFolder: string, inputs: readonly NxInput[]): string[] {
  const root = "{projectRoot}/";
  const own = inputs.filter((input): input is string => typeof input === "string" && input.startsWith(root));
  return own.map((input) => join(projectFolder, input.slice(root.length).replace(/\/\*\*\/\*$/, "")));
}

/** A file itself, or all in a folder but what editors hide there. */
function filesAt(path: string): string[] {
  if (!statOf(path)?.isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name));
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // below a file, or in a closed folder: the stage says it in its own words
  }
}
