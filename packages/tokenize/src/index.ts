export { runTokenize } from "./run.ts";
export { tokenizeOptionsSchema, type TokenizeOptions } from "./options.ts";
