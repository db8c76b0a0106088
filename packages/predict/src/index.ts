export { predictOptionsSchema } from "./options.ts";
export { predictStage } from "./stage.ts";
