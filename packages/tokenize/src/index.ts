export { tokenizeOptionsSchema, type TokenizeOptions } from "./options.ts";
export { tokenizeStage } from "./stage.ts";
