import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeTinyPipeline, type TinySize } from "./tiny-pipeline.ts";

const repository = join(import.meta.dirname, "..", "..");
export const stages = ["fetch", "tokenize", "train", "predict", "evaluate", "export"];

/**
 * Makes a copy of this workspace with a tiny pipeline. Its packages are its own files, so that Nx hashes them, over the installed
 * dependencies of this repository.
 */
export async function copyWorkspace(workspace: string, size?: TinySize): Promise<void> {
  for (const name of [
    ".ci",
    "packages",
    "nx.json",
    "package.json",
    "package-lock.json",
    "tsconfig.base.json",
    ".gitignore",
    "README.md",
  ]) {
    cpSync(join(repository, name), join(workspace, name), {
      recursive: true,
      filter: (path) => !path.endsWith("node_modules"),
    });
  }
  linkModules(join(repository, "node_modules"), join(workspace, "node_modules"));
  for (const name of readdirSync(join(repository, "packages"))) {
    const own = join("packages", name, "node_modules");
    if (existsSync(join(repository, own))) symlinkSync(join(repository, own), join(workspace, own));
  }
  const pipeline = join(workspace, "pipelines", "tiny");
  mkdirSync(pipeline, { recursive: true });
  await writeTinyPipeline(pipeline, undefined, size);
  const project = {
    name: "tiny",
    implicitDependencies: stages,
    namedInputs: { localSources: [{ runtime: "node packages/fetch/bin/bertqa-fetch-fingerprint.mjs pipelines/tiny" }] },
    targets: Object.fromEntries(stages.map((stage) => [stage, {}])),
  };
  writeFileSync(join(pipeline, "project.json"), JSON.stringify(project));
}

function linkModules(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    // Relative links (the commands, and our own packages) must lead to the copy.
    if (entry.name === ".bin" || entry.name === "@bertqa") {
      mkdirSync(target);
      for (const link of readdirSync(source)) symlinkSync(readlinkSync(join(source, link)), join(target, link));
    } else {
      // So must that of our package without a scope: else the commands would run this repository's code.
      symlinkSync(entry.isSymbolicLink() ? readlinkSync(source) : source, target);
    }
  }
}
