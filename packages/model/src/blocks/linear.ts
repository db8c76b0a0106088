import { cast, matMul, ones, reshape, type FloatType, type Tensor } from "@bertqa/engine";

/**
 * x · weightᵀ. The bias is left to the block that reads the result, which adds it while it has the numbers at hand.
 *
 * @param x      [N, in]
 * @param weight [out, in]
 * @returns [N, out]
 */
export function linear<T extends FloatType>(x: Tensor<T>, weight: Tensor<T>): Tensor<T> {
  return matMul(x, weight, { transposeRight: true });
}

/**
 * @param gradient [N, out] of the loss with respect to `linear`'s result, which is that with respect to result + bias
 * @returns the gradients of x [N, in], and in float32 of weight [out, in] and bias [out]
 */
export function linearBackward<T extends FloatType>(gradient: Tensor<T>, x: Tensor<T>, weight: Tensor<T>) {
  return { x: linearInputGradient(gradient, weight), ...linearParameterGradients(gradient, x) };
}

/** @returns the gradient of `linear`'s x, [N, in] */
export function linearInputGradient<T extends FloatType>(gradient: Tensor<T>, weight: Tensor<T>): Tensor<T> {
  return matMul(gradient, weight);
}

/** @returns the gradients of `linear`'s weight [out, in] and bias [out], in float32 */
export function linearParameterGradients<T extends FloatType>(gradient: Tensor<T>, x: Tensor<T>) {
  return {
    weight: cast(matMul(gradient, x, { transposeLeft: true }), "float32"),
    bias: cast(columnSums(gradient), "float32"),
  };
}

/** As a product with ones, which reads [N, out] once at memory speed; XLA's sum over rows takes three times as long. */
function columnSums<T extends FloatType>(x: Tensor<T>): Tensor<T> {
  const row = ones(x.graph.main, x.dtype, [1, "N"]);
  return reshape(matMul(row, x), [-1]); // [out]
}
