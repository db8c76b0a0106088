import { BertqaError, readJsonFile } from "@bertqa/core";
import { pinContext, pinOptions } from "@bertqa/fetch";
import { createReporter } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { findPipeline, jsonFile, writeWhole } from "../pipeline-files.ts";

const splitSchema = z.looseObject({
  sources: z.array(z.union([z.string(), z.looseObject({ url: z.string() })])).min(1),
});
/** `fetch.json` as far as pins go: everything else is left as it is. */
const unpinnedSchema = z.looseObject({
  dataset: z.looseObject({
    train: splitSchema,
    dev: splitSchema,
    sanity: splitSchema.exactOptional(),
    extra: splitSchema.exactOptional(),
  }),
  encoder: z.looseObject({ sources: z.array(z.string()).min(1) }),
});

/** Fills sizes and sha256 of every remote file into a pipeline's `fetch.json`, and commits for branches. */
export async function pin(pipeline: string): Promise<void> {
  const folder = findPipeline("pin", pipeline) ?? join("pipelines", pipeline);
  const path = join(folder, "fetch.json");
  if (!existsSync(path)) {
    throw new BertqaError("pin", `there is no ${path}`, {
      remedy: "Name a pipeline's folder, or make one: bertqa new",
    });
  }
  await readJsonFile("pin", path, unpinnedSchema);
  // Once more, in the file's own order: zod puts the keys that it knows first.
  const options = await readJsonFile("pin", path, z.custom<z.output<typeof unpinnedSchema>>());
  const pinned = await pinOptions(options, pinContext(folder, createReporter("pin")));
  await writeWhole("pin", path, jsonFile(pinned));
  process.stdout.write(`${path}\n`);
}
