import { runStageCommand } from "@bertqa/core";
import { predictOptionsSchema, runPredict } from "./index.ts";

await runStageCommand({
  stage: "predict",
  summary: "Answers the questions of the dev and tune splits with the trained model.",
  optionsSchema: predictOptionsSchema,
  run: runPredict,
});
