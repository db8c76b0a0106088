export { runEvaluate } from "./run.ts";
export { evaluateOptionsSchema, type EvaluateOptions } from "./options.ts";
