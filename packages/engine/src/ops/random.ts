import type { Tensor } from "./graph.ts";
import { integers, multiply, unsigned } from "./math.ts";
import { rangeLike, unstack } from "./layout.ts";

/** @param seed int32 [2] @returns uint32 [2]: random numbers, the same for the same seed */
export function randomKeys(seed: Tensor<"int32">): Tensor<"uint32"> {
  return seed.graph.emit({
    op: "StatelessRandomUniformFullInt",
    inputs: [integers(seed.graph, [2]), seed],
    attributes: { dtype: { type: "uint32" }, T: { type: "int32" }, Tseed: { type: "int32" } },
    output: ["output", ["uint32"]],
  })[0]!;
}

/**
 * 32 random bits for each element of x, from its place and two keys: a counter through the mixing steps of lowbias32
 * (https://github.com/skeeto/hash-prospector), the second key added half way. In a cluster the bits never reach memory,
 * so the backward pass draws them again instead of keeping them; TensorFlow's Philox costs five times as much.
 *
 * @param keys uint32 [2] from `randomKeys`
 */
export function randomBits(x: Tensor, keys: Tensor<"uint32">): Tensor<"uint32"> {
  const { graph } = x;
  const [first, second] = unstack(keys, 2, 0);
  let bits = bitwiseXor(rangeLike(x), first!);
  bits = multiply(xorShift(bits, 16), unsigned(graph, 0x7feb352d));
  bits = bitwiseXor(xorShift(bits, 15), second!);
  bits = multiply(bits, unsigned(graph, 0x846ca68b));
  return xorShift(bits, 16);
}

function xorShift(x: Tensor<"uint32">, places: number): Tensor<"uint32"> {
  return bitwiseXor(x, shiftRight(x, unsigned(x.graph, places)));
}

function bitwise(op: string) {
  return (x: Tensor<"uint32">, y: Tensor<"uint32">): Tensor<"uint32"> =>
    x.graph.emit({ op, inputs: [x, y], attributes: { T: { type: "uint32" } }, output: ["z", ["uint32"]] })[0]!;
}

const bitwiseXor = bitwise("BitwiseXor");
const shiftRight = bitwise("RightShift");
