export { fetchOptionsSchema, type FetchOptions } from "./options.ts";
export { runFetch } from "./run.ts";
