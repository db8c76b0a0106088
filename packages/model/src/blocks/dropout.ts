import {
  add,
  cast,
  greaterOrEqual,
  integer,
  integers,
  multiply,
  randomBytes,
  reshape,
  scalar,
  select,
  type Dimension,
  type Tensor,
} from "@bertqa/engine";

/** Where masks come from: one stream of random bytes for each place (site) in the network, seed and step. */
export interface DropoutSource {
  /** int32 [2], another for each micro-batch */
  readonly seed: Tensor<"int32">;
  nextSite: number;
}

/**
 * Random bytes of which those below the rate's threshold drop their element.
 *
 * @param words shape whose product is a quarter of `shape`'s
 * @param after a value of the same layer, so that no mask is drawn long before it is used
 */
export function drawMask(
  source: DropoutSource,
  words: readonly Dimension[],
  shape: readonly Dimension[],
  after: Tensor,
): Tensor<"uint8"> {
  const site = integers(source.seed.graph, [source.nextSite, 0]);
  source.nextSite += 1;
  return reshape(randomBytes(add(source.seed, site), words, [after]), shape);
}

/** Zero where the mask drops, scaled so that the mean stays; the rate is rounded to 1/256. */
export function applyMask(x: Tensor<"float32">, mask: Tensor<"uint8"> | undefined, rate: number): Tensor<"float32"> {
  if (!mask) return x;
  const threshold = dropThreshold(rate);
  const { graph } = x;
  const keeps = greaterOrEqual(mask, cast(integer(graph, threshold), "uint8"));
  return select(keeps, multiply(x, scalar(graph, 256 / (256 - threshold))), scalar(graph, 0));
}

/** Of 256 byte values, how many drop. */
export function dropThreshold(rate: number): number {
  return Math.min(255, Math.round(rate * 256));
}
