export { fetchOptionsSchema, type FetchOptions } from "./options.ts";
export { bringEncoder } from "./bring-encoder.ts";
export { fetchEnvironment, type FetchEnvironment } from "./environment.ts";
export { pinEncoder, pinFile, pinOptions, type PinContext, type UnpinnedOptions } from "./pin.ts";
export { parseSource } from "./sources.ts";
export { createFetchStage, fetchStage } from "./stage.ts";
