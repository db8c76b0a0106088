import { BertqaError } from "@bertqa/squad";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/**
 * The newest export of the workspace: `artifacts/<pipeline>/export`, in the folder given or one above it.
 *
 * @throws BertqaError if there is none
 */
export async function findLastExport(from: string): Promise<string> {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const newest = (await exportsIn(join(folder, "artifacts"))).sort((a, b) => b.writtenMs - a.writtenMs)[0];
    if (newest) return newest.folder;
    if (folder === dirname(folder)) break;
  }
  throw new BertqaError("bertqa", "there is no export here to ask", {
    remedy: "Give one with --model DIR, or make one: npx nx run <pipeline>:export",
  });
}

async function exportsIn(artifacts: string): Promise<{ folder: string; writtenMs: number }[]> {
  const pipelines = await readdir(artifacts).catch(() => []);
  const found = await Promise.all(
    pipelines.map(async (pipeline) => {
      const folder = join(artifacts, pipeline, "export");
      const manifest = await stat(join(folder, "manifest.json")).catch(() => undefined);
      return manifest ? [{ folder, writtenMs: manifest.mtimeMs }] : [];
    }),
  );
  return found.flat();
}
