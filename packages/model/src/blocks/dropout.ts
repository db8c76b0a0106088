import {
  add,
  greaterOrEqual,
  integers,
  multiply,
  randomBits,
  randomKeys,
  scalar,
  select,
  unsigned,
  type Tensor,
} from "@bertqa/engine";

/** Where masks come from: one pair of keys for each dropout of the network, seed and step. */
export interface DropoutSource {
  /** int32 [2], another for each micro-batch */
  readonly seed: Tensor<"int32">;
  /** Index of the next dropout in the network, in the order of the forward pass. */
  nextDropout: number;
}

/** uint32 [2], from which a block draws its mask, in the forward pass and again in the backward pass. */
export type DropoutKeys = Tensor<"uint32"> | undefined;

export function nextKeys(source: DropoutSource | undefined, rate: number): DropoutKeys {
  if (!source || rate === 0) return undefined;
  const index = integers(source.seed.graph, [source.nextDropout, 0]);
  source.nextDropout += 1;
  return randomKeys(add(source.seed, index));
}

/** Zero with probability `rate`, else scaled so that the mean stays. Call it inside a cluster. */
export function applyDropout(x: Tensor<"float32">, keys: DropoutKeys, rate: number): Tensor<"float32"> {
  if (!keys) return x;
  const { graph } = x;
  const keeps = greaterOrEqual(randomBits(x, keys), unsigned(graph, Math.floor(rate * 2 ** 32)));
  return select(keeps, multiply(x, scalar(graph, 1 / (1 - rate))), scalar(graph, 0));
}
