import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readOptions } from "@bertqa/core";
import { evaluateOptionsSchema } from "@bertqa/evaluate";
import { exportOptionsSchema } from "@bertqa/export";
import { fetchOptionsSchema } from "@bertqa/fetch";
import { predictOptionsSchema } from "@bertqa/predict";
import { tokenizeOptionsSchema } from "@bertqa/tokenize";
import { trainOptionsSchema } from "@bertqa/train";
import { schemaOf, stages } from "../pipelines/schema/generate.ts";

const folder = join(import.meta.dirname, "..", "pipelines");
const pipelines = readdirSync(folder).filter((name) => name !== "schema" && name !== "sanity");
const schemas = {
  fetch: fetchOptionsSchema,
  tokenize: tokenizeOptionsSchema,
  train: trainOptionsSchema,
  predict: predictOptionsSchema,
  evaluate: evaluateOptionsSchema,
  export: exportOptionsSchema,
};

/** Stages that a pipeline runs itself: a cell takes the others from its source. */
function ownStages(name: string): (typeof stages)[number][] {
  const slots = join(folder, name, "pipeline.json");
  const shared = existsSync(slots) ? JSON.parse(readFileSync(slots, "utf8")).artifacts : {};
  return stages.filter((stage) => !(stage in shared));
}

describe.each(pipelines)("pipelines/%s", (name) => {
  test.each(ownStages(name))("%s.json fits its stage, and names the schema for editors", async (stage) => {
    const path = join(folder, name, `${stage}.json`);
    await expect(readOptions(stage, path, schemas[stage])).resolves.toBeDefined();
    expect(JSON.parse(readFileSync(path, "utf8")).$schema).toBe(`../schema/${stage}.schema.json`);
  });

  test("project.json fingerprints its own folder: a copy that kept another's would hit the wrong cache", () => {
    const project = JSON.parse(readFileSync(join(folder, name, "project.json"), "utf8"));
    const runtime = `node packages/fetch/bin/bertqa-fetch-fingerprint.mjs pipelines/${name}`;
    expect(project.namedInputs?.localSources).toEqual(ownStages(name).includes("fetch") ? [{ runtime }] : undefined);
    expect(Object.keys(project.targets)).toEqual(ownStages(name));
    // `nx affected` looks at projects: a change in a stage's package must reach the pipelines that run it.
    expect(project.implicitDependencies).toEqual(expect.arrayContaining(ownStages(name)));
  });
});

test("no two pipelines share a project name, and so an artifact folder", () => {
  const names = pipelines.map((name) => JSON.parse(readFileSync(join(folder, name, "project.json"), "utf8")).name);
  expect(new Set(names).size).toBe(pipelines.length);
});

test.each(stages)("the schema of %s.json for editors is up to date: else run `npm run schemas`", (stage) => {
  const committed = JSON.parse(readFileSync(join(folder, "schema", `${stage}.schema.json`), "utf8"));
  expect(committed).toEqual(JSON.parse(schemaOf(stage)));
});
