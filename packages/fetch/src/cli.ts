import { runStageCommand } from "@bertqa/core";
import { fetchOptionsSchema } from "./options.ts";
import { runFetch } from "./run.ts";

await runStageCommand({
  stage: "fetch",
  summary: "Bring a dataset and a pretrained encoder from their sources, check them, and write them as one artifact",
  optionsSchema: fetchOptionsSchema,
  run: runFetch,
});
