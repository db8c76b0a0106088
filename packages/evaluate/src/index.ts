export { evaluateOptionsSchema, type EvaluateOptions } from "./options.ts";
export { evaluateStage } from "./stage.ts";
