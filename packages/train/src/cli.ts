import { runStageCommand } from "@bertqa/core";
import { trainOptionsSchema } from "./options.ts";
import { runTrain } from "./run.ts";

await runStageCommand({
  stage: "train",
  summary: "Fine-tunes the encoder on the training windows.",
  optionsSchema: trainOptionsSchema,
  run: runTrain,
});
