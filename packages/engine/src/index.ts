export { describeDevice } from "./device.ts";
export { diagnose, type Finding } from "./doctor.ts";
export { findInstalledEngine } from "./locate.ts";
export { engineIdentity, loadEngine, type Engine } from "./load.ts";
export * from "./ops/index.ts";
export type { FloatType as Precision } from "./ops/dtypes.ts";
