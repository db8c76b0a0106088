export * from "./answer.ts";
export * from "./decision.ts";
export * from "./labels.ts";
export * from "./search.ts";
export * from "./tokens.ts";
export * from "./windows.ts";
