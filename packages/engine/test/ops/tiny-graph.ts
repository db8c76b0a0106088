import { cluster, Graph, multiply, placeholder, reshape, sum, tanh } from "../../src/index.ts";

/** A graph with one of each: a placeholder, a compiled cluster, a shape with a fed length, a constant, attributes of most kinds. */
export function tinyGraph(): Graph {
  const graph = new Graph({ compileClusters: true });
  const x = placeholder(graph, "float32");
  const { y } = cluster({ x }, (inner) => ({ y: multiply(inner.x, tanh(inner.x)) }));
  sum(reshape(y, ["L", 2]), { axes: [0, -1] });
  return graph;
}
