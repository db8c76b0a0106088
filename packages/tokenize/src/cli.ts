import { runStageCommand } from "@bertqa/core";
import { tokenizeOptionsSchema } from "./options.ts";
import { runTokenize } from "./run.ts";

await runStageCommand({
  stage: "tokenize",
  summary: "Cuts questions and passages into labelled windows of tokens",
  optionsSchema: tokenizeOptionsSchema,
  run: runTokenize,
});
