import type { DType } from "./dtypes.ts";
import type { Graph, Tensor } from "./graph.ts";
import { integer } from "./math.ts";

/** A tensor that outlives a run; its session owns it. */
export interface Variable {
  readonly handle: Tensor<"resource">;
  readonly shape: readonly number[];
}

export function variable(graph: Graph, name: string, shape: readonly number[]): Variable {
  const attributes = {
    container: { text: "" },
    shared_name: { text: name },
    dtype: { type: "float32" },
    shape: { shape },
  } as const;
  const handle = graph.emit({ op: "VarHandleOp", attributes, output: ["resource", ["resource"]] })[0]!;
  return { handle, shape };
}

/** The value now, or after the nodes in `after`; shares the variable's memory until the variable changes. */
export function read({ handle }: Variable, after: readonly Tensor[] = []): Tensor<"float32"> {
  const attributes = { dtype: { type: "float32" } } as const;
  const output = ["value", ["float32"]] as const;
  return handle.graph.emit({ op: "ReadVariableOp", inputs: [handle], attributes, output, after })[0]!;
}

/** Makes `value` the variable's memory, without a copy where nobody else reads it. @returns an effect for `effects` */
export function assign({ handle }: Variable, value: Tensor<"float32">): Tensor {
  const attributes = { dtype: { type: "float32" }, validate_shape: { bool: false } } as const;
  return effect(handle, "AssignVariableOp", [handle, value], attributes);
}

export function assignAdd({ handle }: Variable, value: Tensor<"float32">): Tensor {
  return effect(handle, "AssignAddVariableOp", [handle, value], { dtype: { type: "float32" } });
}

/** A copy in memory of its own: what a run feeds may be shared with JavaScript, and a variable must not be. */
export function copy(x: Tensor<"float32">): Tensor<"float32"> {
  const attributes = { T: { type: "float32" } } as const;
  return x.graph.emit({ op: "DeepCopy", inputs: [x], attributes, output: ["y", ["float32"]] })[0]!;
}

export interface AdamScalars {
  readonly beta1Power: Tensor<"float32">;
  readonly beta2Power: Tensor<"float32">;
  readonly learningRate: Tensor<"float32">;
  readonly beta1: Tensor<"float32">;
  readonly beta2: Tensor<"float32">;
  readonly epsilon: Tensor<"float32">;
}

/**
 * One Adam step in place: m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w − α √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε).
 *
 * TensorFlow's ε is added before the bias correction: pass ε √(1-β₂ᵗ) for the formula of Kingma and Ba.
 */
export function applyAdam(
  state: { readonly weight: Variable; readonly firstMoment: Variable; readonly secondMoment: Variable },
  scalars: AdamScalars,
  gradient: Tensor<"float32">,
  after: readonly Tensor[] = [],
): Tensor {
  const { weight, firstMoment, secondMoment } = state;
  const { beta1Power, beta2Power, learningRate, beta1, beta2, epsilon } = scalars;
  const handles = [weight.handle, firstMoment.handle, secondMoment.handle];
  const inputs = [...handles, beta1Power, beta2Power, learningRate, beta1, beta2, epsilon, gradient];
  const attributes = { T: { type: "float32" }, use_locking: { bool: false }, use_nesterov: { bool: false } } as const;
  return effect(weight.handle, "ResourceApplyAdam", inputs, attributes, after);
}

/** One fetchable tensor that is there when all the effects are done. */
export function afterAll(graph: Graph, effects: readonly Tensor[]): Tensor<"int32"> {
  const output = ["output", ["int32"]] as const;
  const attributes = { T: { type: "int32" } } as const;
  return graph.emit({ op: "Identity", inputs: [integer(graph, 0)], attributes, output, after: effects })[0]!;
}

/** A node without outputs, as a tensor that only control inputs may name. */
function effect(
  handle: Tensor<"resource">,
  op: string,
  inputs: readonly Tensor[],
  attributes: Readonly<Record<string, { readonly type: DType } | { readonly bool: boolean }>>,
  after: readonly Tensor[] = [],
): Tensor {
  return handle.graph.emit({ op, inputs, attributes, after, output: ["", ["float32"]] })[0]!;
}
