export type { NativeBinding, OpAttribute, TensorMetadata } from "./binding.ts";
export { loadEngine, type Engine, type LoadOptions } from "./load.ts";
