export { predictOptionsSchema, type PredictOptions } from "./options.ts";
export { runPredict } from "./run.ts";
