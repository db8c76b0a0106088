export { predictOptionsSchema, type PredictOptions } from "./options.ts";
export { predictStage } from "./stage.ts";
