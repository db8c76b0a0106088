export * from "./batches.ts";
export { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
export { emptyCheckpoint } from "./empty-checkpoint.ts";
export { paddedTokenCount } from "./feeds.ts";
export { createPredictor } from "./predictor.ts";
export { readSafetensors, writeSafetensors, type Safetensors } from "./safetensors.ts";
export { createTrainer } from "./trainer.ts";
export type * from "./types.ts";
