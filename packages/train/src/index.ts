export { trainOptionsSchema } from "./options.ts";
export { trainStage } from "./stage.ts";
