export { bertToOnnx, type OnnxPrecision } from "./onnx/bert.ts";
export { exportOptionsSchema } from "./options.ts";
export { exportStage } from "./stage.ts";
