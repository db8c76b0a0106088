import { cast, matMul, type FloatType, type Tensor } from "@bertqa/engine";

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

/** @param gradient [N, out] of the loss with respect to `linear`'s result */
export function linearBackward<T extends FloatType>(gradient: Tensor<T>, x: Tensor<T>, weight: Tensor<T>) {
  return {
    x: matMul(gradient, weight), // [N, in]
    weight: cast(matMul(gradient, x, { transposeLeft: true }), "float32"), // [out, in]
  };
}
