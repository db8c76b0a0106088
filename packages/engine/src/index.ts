export type { NativeBinding, OpAttribute, TensorMetadata } from "./binding.ts";
export { loadEngine, type Engine, type LoadOptions } from "./load.ts";
export { describeDevice, type DeviceReport, type Gpu, type Precision } from "./device.ts";
export { diagnose, type Finding } from "./doctor.ts";
export * from "./ops/index.ts";
