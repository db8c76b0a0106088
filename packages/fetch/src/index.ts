export { fetchOptionsSchema, type FetchOptions } from "./options.ts";
export { bringEncoder } from "./bring-encoder.ts";
export { fetchEnvironment } from "./environment.ts";
export { pinContext, pinEncoder, pinFile, pinOptions } from "./pin.ts";
export { parseSource } from "./sources.ts";
export { createFetchStage, fetchStage } from "./stage.ts";
