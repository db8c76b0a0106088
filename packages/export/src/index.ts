export { bertToOnnx, type OnnxPrecision } from "./onnx/bert.ts";
export { exportOptionsSchema, type ExportOptions } from "./options.ts";
export { exportStage } from "./stage.ts";
