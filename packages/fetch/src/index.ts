export { fetchOptionsSchema, type FetchOptions } from "./options.ts";
export { createFetchStage, fetchStage } from "./stage.ts";
