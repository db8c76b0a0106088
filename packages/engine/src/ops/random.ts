import type { Dimension, Tensor } from "./graph.ts";
import { shapeVector } from "./layout.ts";

/**
 * Random bytes, the same for the same seed.
 *
 * @param seed       int32 [2]
 * @param wordsShape one random int32 gives four bytes
 * @param after      values that must be there before: keeps the executor from drawing every mask of a step at its start
 * @returns uint8 [...wordsShape, 4]
 */
export function randomBytes(
  seed: Tensor<"int32">,
  wordsShape: readonly Dimension[],
  after: readonly Tensor[] = [],
): Tensor<"uint8"> {
  const graph = seed.graph.main;
  const words = graph.emit({
    op: "StatelessRandomUniformFullInt",
    inputs: [shapeVector(graph, wordsShape), seed],
    attributes: { dtype: { type: "int32" }, T: { type: "int32" }, Tseed: { type: "int32" } },
    output: ["output", ["int32"]],
    after,
  })[0]!;
  return bitcastToBytes(words);
}

/** @param x int32 […] @returns uint8 […, 4], without a copy */
function bitcastToBytes(x: Tensor<"int32">): Tensor<"uint8"> {
  const attributes = { T: { type: "int32" }, type: { type: "uint8" } } as const;
  return x.graph.emit({ op: "Bitcast", inputs: [x], attributes, output: ["output", ["uint8"]] })[0]!;
}
