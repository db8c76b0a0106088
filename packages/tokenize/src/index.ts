export { tokenizeOptionsSchema, type TokenizeOptions } from "./options.ts";
export { loadTokenizer } from "./tokenizer.ts";
export { tokenizeStage } from "./stage.ts";
