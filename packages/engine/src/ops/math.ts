import type { DType, FloatType } from "./dtypes.ts";
import type { GraphBuilder, Tensor } from "./graph.ts";

/** A constant of one number, broadcast against whatever it meets. */
export function scalar(graph: GraphBuilder, value: number): Tensor<"float32"> {
  return graph.constant({ dtype: "float32", shape: [], bytes: new Uint8Array(Float32Array.of(value).buffer) });
}

export function integers(graph: GraphBuilder, values: readonly number[]): Tensor<"int32"> {
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  return graph.constant({ dtype: "int32", shape: [values.length], bytes });
}

export function vector(graph: GraphBuilder, values: readonly number[]): Tensor<"float32"> {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return graph.constant({ dtype: "float32", shape: [values.length], bytes });
}

export function integer(graph: GraphBuilder, value: number): Tensor<"int32"> {
  return graph.constant({ dtype: "int32", shape: [], bytes: new Uint8Array(Int32Array.of(value).buffer) });
}

export function unsigned(graph: GraphBuilder, value: number): Tensor<"uint32"> {
  return graph.constant({ dtype: "uint32", shape: [], bytes: new Uint8Array(Uint32Array.of(value).buffer) });
}

/** Rounds to nearest even where the target has fewer bits. A cast to the same type costs nothing. */
export function cast<T extends DType>(x: Tensor, dtype: T): Tensor<T> {
  if (x.dtype === dtype) return x as Tensor<T>;
  const attributes = { SrcT: { type: x.dtype }, DstT: { type: dtype }, Truncate: { bool: false } };
  return x.graph.emit({ op: "Cast", inputs: [x], attributes, output: ["y", [dtype]] })[0]!;
}

function unary(op: string) {
  return <T extends FloatType>(x: Tensor<T>): Tensor<T> =>
    x.graph.emit({ op, inputs: [x], attributes: { T: { type: x.dtype } }, output: ["y", [x.dtype]] })[0]!;
}

function binary(op: string) {
  return <T extends DType>(x: Tensor<T>, y: Tensor<T>): Tensor<T> =>
    x.graph.emit({ op, inputs: [x, y], attributes: { T: { type: x.dtype } }, output: ["z", [x.dtype]] })[0]!;
}

export const erf = unary("Erf");
export const exp = unary("Exp");
export const rsqrt = unary("Rsqrt");
export const sqrt = unary("Sqrt");
export const square = unary("Square");
export const tanh = unary("Tanh");

export const add = binary("AddV2");
export const subtract = binary("Sub");
/** Of uint32: modulo 2³². */
export const multiply = binary("Mul");
export const divide = binary("RealDiv");
export const minimum = binary("Minimum");

export function scale(x: Tensor<"float32">, factor: number): Tensor<"float32"> {
  return multiply(x, scalar(x.graph, factor));
}

export function addAll(tensors: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const attributes = { N: { int: tensors.length }, T: { type: "float32" as const } };
  return tensors[0]!.graph.emit({ op: "AddN", inputs: tensors, attributes, output: ["sum", ["float32"]] })[0]!;
}

/** Σ x² / 2 over all elements, as a scalar. */
export function halfSquaredNorm(x: Tensor<"float32">): Tensor<"float32"> {
  const attributes = { T: { type: x.dtype } };
  return x.graph.emit({ op: "L2Loss", inputs: [x], attributes, output: ["output", ["float32"]] })[0]!;
}

/** Elements of `whenTrue` where `condition` holds, else of `whenFalse`; all broadcast. */
export function select(condition: Tensor<"bool">, whenTrue: Tensor<"float32">, whenFalse: Tensor<"float32">) {
  const inputs = [condition, whenTrue, whenFalse];
  const attributes = { T: { type: "float32" as const } };
  return condition.graph.emit({ op: "SelectV2", inputs, attributes, output: ["output", ["float32"]] })[0]!;
}

export function greaterOrEqual<T extends DType>(x: Tensor<T>, y: Tensor<T>): Tensor<"bool"> {
  const attributes = { T: { type: x.dtype } };
  return x.graph.emit({ op: "GreaterEqual", inputs: [x, y], attributes, output: ["z", ["bool"]] })[0]!;
}

export interface ReduceOptions {
  readonly axes: readonly number[];
  readonly keepDimensions?: boolean;
}

function reduction(op: string) {
  return <T extends FloatType>(x: Tensor<T>, { axes, keepDimensions = false }: ReduceOptions): Tensor<T> => {
    const inputs = [x, integers(x.graph, axes)];
    const attributes = { T: { type: x.dtype }, Tidx: { type: "int32" }, keep_dims: { bool: keepDimensions } } as const;
    return x.graph.emit({ op, inputs, attributes, output: ["output", [x.dtype]] })[0]!;
  };
}

export const sum = reduction("Sum");
export const mean = reduction("Mean");
export const max = reduction("Max");

/** Softmax over the last axis. It computes in float32 whatever the type of x. */
export function softmax<T extends FloatType>(x: Tensor<T>): Tensor<T> {
  const attributes = { T: { type: x.dtype } };
  return x.graph.emit({ op: "Softmax", inputs: [x], attributes, output: ["softmax", [x.dtype]] })[0]!;
}

/**
 * Cross entropy of each row, and its gradient with respect to the logits.
 *
 * @param logits float32 [B, L]
 * @param labels float32 [B, L], each row a distribution
 * @returns losses float32 [B], gradient float32 [B, L]
 */
export function softmaxCrossEntropy(logits: Tensor<"float32">, labels: Tensor<"float32">) {
  const attributes = { T: { type: "float32" as const } };
  const op = "SoftmaxCrossEntropyWithLogits";
  // Two output arguments, "loss" and "backprop": only the main graph counts outputs, a cluster names them.
  if (logits.graph !== logits.graph.main) throw new Error(`${op} cannot be part of a cluster`);
  const output = ["loss", ["float32", "float32"]] as const;
  const [losses, gradient] = logits.graph.emit({ op, inputs: [logits, labels], attributes, output });
  return { losses: losses!, gradient: gradient! };
}

export interface ProductOptions {
  readonly transposeLeft?: boolean;
  readonly transposeRight?: boolean;
}

/** Matrix product of [m, k] and [k, n], after the transposes asked for. */
export function matMul<T extends FloatType>(x: Tensor<T>, y: Tensor<T>, options: ProductOptions = {}): Tensor<T> {
  const { transposeLeft = false, transposeRight = false } = options;
  const transposes = { transpose_a: { bool: transposeLeft }, transpose_b: { bool: transposeRight } };
  const attributes = { T: { type: x.dtype }, ...transposes };
  return x.graph.emit({ op: "MatMul", inputs: [x, y], attributes, output: ["product", [x.dtype]] })[0]!;
}

/** Matrix products of [..., m, k] and [..., k, n], after the transposes asked for. */
export function batchMatMul<T extends FloatType>(x: Tensor<T>, y: Tensor<T>, options: ProductOptions = {}): Tensor<T> {
  const { transposeLeft = false, transposeRight = false } = options;
  const attributes = { T: { type: x.dtype }, adj_x: { bool: transposeLeft }, adj_y: { bool: transposeRight } };
  return x.graph.emit({ op: "BatchMatMulV2", inputs: [x, y], attributes, output: ["output", [x.dtype]] })[0]!;
}

/** Sum over all axes but the last: the gradient of a bias. */
export function biasGradient<T extends FloatType>(x: Tensor<T>): Tensor<T> {
  const attributes = { T: { type: x.dtype }, data_format: { text: "NHWC" } };
  return x.graph.emit({ op: "BiasAddGrad", inputs: [x], attributes, output: ["output", [x.dtype]] })[0]!;
}

/** Adds a vector along the last axis. */
export function addBias<T extends FloatType>(x: Tensor<T>, bias: Tensor<T>): Tensor<T> {
  const attributes = { T: { type: x.dtype }, data_format: { text: "NHWC" } };
  return x.graph.emit({ op: "BiasAdd", inputs: [x, bias], attributes, output: ["output", [x.dtype]] })[0]!;
}
