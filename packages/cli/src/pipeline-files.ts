import { BertqaError, parseJson } from "@bertqa/core";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

const lineWidth = 120;

/** JSON as prettier writes it, so that a generated file can be committed: two spaces, lists of plain values on one line where they fit. */
export function jsonFile(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  const lists = text.replaceAll(
    /^( *)(.*)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (whole, indent: string, head: string, items: string, comma: string) => {
      const line = `${indent}${head}[${items
        .split("\n")
        .map((item) => item.trim())
        .join(" ")}]${comma}`;
      return line.length <= lineWidth ? line : whole;
    },
  );
  return `${lists}\n`;
}

/** Writes a file in full or not at all, with the folders above it. @throws BertqaError if it cannot be written */
export async function writeWhole(command: string, path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(part, text);
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => undefined);
    throw unwritable(command, path, cause);
  }
}

/** Makes a pipeline's folder with its files, or nothing. @throws BertqaError if it is there already or cannot be written */
export async function writePipelineFolder(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder).catch((cause: unknown) => {
    throw unwritable("new", folder, cause);
  });
  try {
    for (const [name, text] of files) await writeFile(join(folder, name), text);
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw unwritable("new", folder, cause);
  }
}

function unwritable(command: string, path: string, cause: unknown): BertqaError {
  return new BertqaError(command, `${path} cannot be written: ${(cause as NodeJS.ErrnoException).code}`, { cause });
}

/** @throws BertqaError if a pipeline cannot have this name, its folder is there already, or a project has the name */
export function refuseTaken(name: string, folder: string): void {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) {
    throw new BertqaError("new", `got the name ${JSON.stringify(name)}, expected small letters, digits, . _ or -`);
  }
  const remedy = "Choose another name";
  if (existsSync(folder)) throw new BertqaError("new", `${folder} is already there`, { remedy });
  const packages = foldersIn("packages");
  const owner = [...packages, ...packages.flatMap(foldersIn), ...foldersIn(dirname(folder))].find(
    (other) => projectName("new", other) === name,
  );
  // Nx refuses every command of a workspace that has a name twice.
  if (owner !== undefined) {
    throw new BertqaError("new", `${name} is already the name of the project in ${owner}`, { remedy });
  }
}

/** A pipeline's folder by what people call it: the folder, its name under `pipelines/`, or the project's name; undefined if there is none. */
export function findPipeline(command: string, name: string): string | undefined {
  const given = [name, join("pipelines", name)].find(isPipeline);
  return given ?? pipelineFolders().find((folder) => projectName(command, folder) === name);
}

/** Folders of all pipelines of the workspace. */
export function pipelineFolders(): string[] {
  return foldersIn("pipelines").filter(isPipeline).toSorted();
}

/** One that Nx does not know has no project.json. */
function isPipeline(folder: string): boolean {
  return ["project.json", "fetch.json", "evaluate.json"].some((name) => existsSync(join(folder, name)));
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}

const namedSchema = z.object({ name: z.string().optional(), nx: z.object({ name: z.string().optional() }).optional() });

/** A folder's name as a project, as Nx finds it: in project.json, else in package.json. */
function projectName(command: string, folder: string): string | undefined {
  const names = ["project.json", "package.json"].map((file) => {
    const path = join(folder, file);
    if (!existsSync(path)) return undefined;
    const { name, nx } = parseJson(command, readFileSync(path, "utf8"), path, namedSchema);
    return nx?.name ?? name;
  });
  return names.find((name) => name !== undefined);
}
