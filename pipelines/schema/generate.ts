import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Stages with an options file, in the pipeline's order. */
export const stages = ["fetch", "tokenize", "train", "predict", "evaluate", "export"] as const;

/** The JSON schema of a stage's options, as the stage itself prints it. */
export function schemaOf(stage: (typeof stages)[number]): string {
  const bin = join(import.meta.dirname, "..", "..", "packages", "bertqa", "bin", "bertqa.mjs");
  return execFileSync(process.execPath, [bin, "stage", stage, "--print-schema"], { encoding: "utf8" });
}

if (process.argv[1] === import.meta.filename) {
  const folder = process.argv[2] ?? import.meta.dirname;
  mkdirSync(folder, { recursive: true });
  for (const stage of stages) writeFileSync(join(folder, `${stage}.schema.json`), schemaOf(stage));
}
