export { trainOptionsSchema, type TrainOptions } from "./options.ts";
export { runTrain } from "./run.ts";
