import type { BertConfig } from "@bertqa/core";
import {
  add,
  cast,
  cluster,
  erf,
  exp,
  multiply,
  scalar,
  scale,
  square,
  subtract,
  tanh,
  type FloatType,
  type Tensor,
} from "@bertqa/engine";

type F32 = Tensor<"float32">;
type Activation = BertConfig["activation"];

/** activation(product + bias), [N, I] */
export function activate<T extends FloatType>(product: Tensor<T>, bias: F32, activation: Activation): Tensor<T> {
  return cluster({ product, bias }, (t) => {
    const x = add(cast(t.product, "float32"), t.bias);
    return { output: cast(multiply(x, gate(x, activation).value), product.dtype) };
  }).output;
}

/** Gradient with respect to `activate`'s product and bias, [N, I]. */
export function activateBackward<T extends FloatType>(
  gradient: Tensor<T>,
  product: Tensor<T>,
  bias: F32,
  activation: Activation,
): Tensor<T> {
  return cluster({ gradient, product, bias }, (t) => {
    const x = add(cast(t.product, "float32"), t.bias);
    const { value, slope } = gate(x, activation);
    const total = multiply(cast(t.gradient, "float32"), add(value, multiply(x, slope())));
    return { total: cast(total, product.dtype) };
  }).total;
}

/** Both GELUs are x · gate(x): the normal distribution's Φ(x), or its approximation by tanh (Hendrycks, Gimpel 2016). */
function gate(x: F32, activation: Activation): { readonly value: F32; readonly slope: () => F32 } {
  const one = scalar(x.graph, 1);
  if (activation === "gelu") {
    const value = scale(add(erf(scale(x, Math.SQRT1_2)), one), 0.5);
    return { value, slope: () => scale(exp(scale(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)) };
  }
  const root = Math.sqrt(2 / Math.PI);
  const cubic = 0.044715;
  const inner = scale(multiply(x, add(one, scale(square(x), cubic))), root);
  const bend = tanh(inner);
  const value = scale(add(bend, one), 0.5);
  const innerSlope = scale(add(one, scale(square(x), 3 * cubic)), root);
  return { value, slope: () => scale(multiply(subtract(one, square(bend)), innerSlope), 0.5) };
}
