export { trainOptionsSchema, type TrainOptions } from "./options.ts";
export { trainStage } from "./stage.ts";
