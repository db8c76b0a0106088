export * from "./batches.ts";
export { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
export { paddedTokenCount } from "./feeds.ts";
export { zeroTensors } from "./parameters.ts";
export { createPredictor } from "./predictor.ts";
export { createTrainer } from "./trainer.ts";
export type * from "./types.ts";
