import { BertqaError } from "@bertqa/core";
import { fetchEnvironment, pinOptions } from "@bertqa/fetch";
import { createReporter } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

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
  const folder = existsSync(join(pipeline, "fetch.json")) ? pipeline : join("pipelines", pipeline);
  const path = join(folder, "fetch.json");
  if (!existsSync(path)) {
    throw new BertqaError("pin", `there is no ${path}`, {
      remedy: "Name a pipeline's folder, or make one: bertqa new",
    });
  }
  const parsed = unpinnedSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
  if (!parsed.success) {
    const remedy = "Give dataset.train.sources, dataset.dev.sources and encoder.sources";
    throw new BertqaError("pin", `${path} names no sources`, { remedy, cause: parsed.error });
  }
  const environment = fetchEnvironment();
  const context = {
    pipelineFolder: folder,
    hubEndpoint: environment.hubEndpoint,
    environment,
    reporter: createReporter("pin"),
  };
  const pinned = await pinOptions(parsed.data, context);
  await writeFile(`${path}.part`, `${JSON.stringify(pinned, null, 2)}\n`);
  await rename(`${path}.part`, path);
  process.stdout.write(`${path}\n`);
}
