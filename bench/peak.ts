import { cast, Graph, matMul, max, placeholder, Session, type Engine } from "@bertqa/engine";
import type { Precision } from "@bertqa/model";

/** Side of the square matrices: large enough that a product is bound by arithmetic, small enough for the caches of a server core. */
const size = 1536;
const products = 12;
const rounds = 5;

/**
 * The machine's matrix-product peak as TensorFlow reaches it: the best of five rounds of twelve square products.
 *
 * @returns floating-point operations a second
 */
export function measurePeakFlops(engine: Pick<Engine, "binding">, precision: Precision): number {
  const graph = new Graph({ compileClusters: false });
  const left = placeholder(graph, "float32");
  const right = placeholder(graph, "float32");
  const [x, y] = [cast(left, precision), cast(right, precision)];
  // Each product takes the last one's result, so that none can be left out.
  let result = matMul(x, y);
  for (let i = 1; i < products; i++) result = matMul(result, y);
  // A number that needs them all: TensorFlow leaves out what nobody reads.
  const largest = max(cast(result, "float32"), { axes: [0, 1] });
  const session = new Session(engine.binding, graph);
  const data = new Float32Array(size * size).fill(1 / size);
  const value = { dtype: "float32", shape: [size, size], data } as const;
  const feeds = new Map([
    [left, value],
    [right, value],
  ]);
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    session.run([largest], { feeds });
    best = Math.max(best, (products * 2 * size ** 3) / ((performance.now() - startedMs) / 1000));
  }
  session.dispose();
  return best;
}
