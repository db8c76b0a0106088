export * from "./batches.ts";
export type * from "./types.ts";
