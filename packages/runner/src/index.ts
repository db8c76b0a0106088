export * from "./command.ts";
export * from "./lock.ts";
export * from "./nx-cache.ts";
export * from "./paths.ts";
export * from "./place.ts";
export * from "./processes.ts";
export * from "./run-stage.ts";
export * from "./terminal.ts";
