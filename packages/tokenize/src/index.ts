export { tokenizeOptionsSchema } from "./options.ts";
export { loadTokenizer } from "./tokenizer.ts";
export { tokenizeStage } from "./stage.ts";
