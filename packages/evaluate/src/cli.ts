import { runStageCommand } from "@bertqa/core";
import { evaluateOptionsSchema } from "./options.ts";
import { runEvaluate } from "./run.ts";

await runStageCommand({
  stage: "evaluate",
  summary: "Scores predictions, chooses thresholds, writes the report",
  optionsSchema: evaluateOptionsSchema,
  run: runEvaluate,
});
