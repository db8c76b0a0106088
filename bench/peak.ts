import { cast, Graph, matMul, max, placeholder, Session, type Engine } from "@bertqa/engine";
import type { Precision } from "@bertqa/model";

/** Side of the square matrices: large enough that a product is bound by arithmetic, small enough for the caches of a server core. */
const size = 1536;
const products = 12;
/** Chains of products that run side by side, as the model's halves of a batch do: together they use all cores. */
const chains = 2;
const rounds = 5;

/**
 * The machine's matrix-product peak as TensorFlow reaches it: the best of five rounds of two times twelve square products.
 *
 * @returns floating-point operations a second
 */
export function measurePeakFlops(engine: Pick<Engine, "binding">, precision: Precision): number {
  const graph = new Graph({ compileClusters: false });
  const right = placeholder(graph, "float32");
  const y = cast(right, precision);
  const chain = () => {
    // Another first factor each, or TensorFlow would compute equal chains once.
    const first = placeholder(graph, "float32");
    // Each product takes the last one's result, so that none can be left out.
    let result = matMul(cast(first, precision), y);
    for (let i = 1; i < products; i++) result = matMul(result, y);
    // A number that needs them all: TensorFlow leaves out what nobody reads.
    return { first, largest: max(cast(result, "float32"), { axes: [0, 1] }) };
  };
  const all = Array.from({ length: chains }, chain);
  const session = new Session(engine.binding, graph);
  const data = new Float32Array(size * size).fill(1 / size);
  const value = { dtype: "float32", shape: [size, size], data } as const;
  const feeds = new Map([right, ...all.map(({ first }) => first)].map((tensor) => [tensor, value] as const));
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    session.run(
      all.map(({ largest }) => largest),
      { feeds },
    );
    best = Math.max(best, (chains * products * 2 * size ** 3) / ((performance.now() - startedMs) / 1000));
  }
  session.dispose();
  return best;
}
