export { bertToOnnx, type OnnxPrecision } from "./onnx/bert.ts";
