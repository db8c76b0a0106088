import type { DType } from "./dtypes.ts";
import type { Dimension, Graph, Tensor } from "./graph.ts";
import { cast, integer, integers, scalar } from "./math.ts";

/** A value that each run feeds. */
export function placeholder<T extends DType>(graph: Graph, dtype: T): Tensor<T> {
  const attributes = { dtype: { type: dtype }, shape: { shape: "unknown" } } as const;
  return graph.emit({ op: "Placeholder", attributes, output: ["output", [dtype]] })[0]!;
}

/** A shape vector; fed with each run where it holds a named length. */
function shapeVector(graph: Graph, dimensions: readonly Dimension[]): Tensor<"int32"> {
  if (dimensions.every((dimension) => typeof dimension === "number")) return integers(graph, dimensions);
  const shape = dimensions.map((dimension) => graph.scoped(dimension));
  const reference = [...graph.fedShapes].find(([, known]) => known.join() === shape.join())?.[0];
  if (reference) return { graph, reference, dtype: "int32" };
  const tensor = placeholder(graph, "int32");
  graph.fedShapes.set(tensor.reference, shape);
  return tensor;
}

/** The same elements, in row-major order, under another shape. Costs nothing. */
export function reshape<T extends DType>(x: Tensor<T>, shape: readonly Dimension[]): Tensor<T> {
  const inputs = [x, shapeVector(x.graph.main, shape)];
  const attributes = { T: { type: x.dtype }, Tshape: { type: "int32" } } as const;
  return x.graph.emit({ op: "Reshape", inputs, attributes, output: ["output", [x.dtype]] })[0]!;
}

/** Axis i of the result is axis `order[i]` of x. */
export function transpose<T extends DType>(x: Tensor<T>, order: readonly number[]): Tensor<T> {
  const inputs = [x, integers(x.graph, order)];
  const attributes = { T: { type: x.dtype }, Tperm: { type: "int32" } } as const;
  return x.graph.emit({ op: "Transpose", inputs, attributes, output: ["y", [x.dtype]] })[0]!;
}

/** A tensor of ones. */
export function ones<T extends DType>(graph: Graph, dtype: T, shape: readonly Dimension[]): Tensor<T> {
  const inputs = [shapeVector(graph, shape), cast(scalar(graph, 1), dtype)];
  const attributes = { T: { type: dtype }, index_type: { type: "int32" } } as const;
  return graph.emit({ op: "Fill", inputs, attributes, output: ["output", [dtype]] })[0]!;
}

/** Joins tensors of one shape along a new axis. */
export function stack<T extends DType>(tensors: readonly Tensor<T>[], axis: number): Tensor<T> {
  const { graph, dtype } = tensors[0]!;
  const attributes = { N: { int: tensors.length }, T: { type: dtype }, axis: { int: axis } };
  return graph.emit({ op: "Pack", inputs: tensors, attributes, output: ["output", [dtype]] })[0]!;
}

/** The parts of x along an axis of length `count`, which is dropped. */
export function unstack<T extends DType>(x: Tensor<T>, count: number, axis: number): Tensor<T>[] {
  const attributes = { num: { int: count }, T: { type: x.dtype }, axis: { int: axis } };
  const dtypes = Array.from({ length: count }, () => x.dtype);
  return x.graph.emit({ op: "Unpack", inputs: [x], attributes, output: ["output", dtypes] });
}

/** Joins tensors along an axis that they have. */
export function concatenate<T extends DType>(tensors: readonly Tensor<T>[], axis: number): Tensor<T> {
  const { graph, dtype } = tensors[0]!;
  const inputs = [...tensors, integer(graph, axis)];
  const attributes = { N: { int: tensors.length }, T: { type: dtype }, Tidx: { type: "int32" } } as const;
  return graph.emit({ op: "ConcatV2", inputs, attributes, output: ["output", [dtype]] })[0]!;
}

/** Rows of a table. @param table [V, …] @param indices int32 [N], each in 0..V-1 @returns [N, …] */
export function gatherRows<T extends DType>(table: Tensor<T>, indices: Tensor<"int32">): Tensor<T> {
  const inputs = [table, indices, integer(table.graph, 0)];
  const types = { Tparams: { type: table.dtype }, Tindices: { type: "int32" }, Taxis: { type: "int32" } } as const;
  const attributes = { ...types, batch_dims: { int: 0 } };
  return table.graph.emit({ op: "GatherV2", inputs, attributes, output: ["output", [table.dtype]] })[0]!;
}

/** Adds each row of x to row `indices[i]` of a table of zeros: the gradient of `gatherRows`. Index −1 drops the row. */
export function sumRowsByIndex(x: Tensor<"float32">, indices: Tensor<"int32">, rowCount: number): Tensor<"float32"> {
  const inputs = [x, indices, integer(x.graph, rowCount)];
  const types = { T: { type: "float32" }, Tindices: { type: "int32" }, Tnumsegments: { type: "int32" } } as const;
  return x.graph.emit({ op: "UnsortedSegmentSum", inputs, attributes: types, output: ["output", ["float32"]] })[0]!;
}

/** @param indices int32 [B] @param depth L, an int32 scalar @returns float32 [B, L] with one 1 a row */
export function oneHot(indices: Tensor<"int32">, depth: Tensor<"int32">): Tensor<"float32"> {
  const { graph } = indices;
  const inputs = [indices, depth, scalar(graph, 1), scalar(graph, 0)];
  const attributes = { T: { type: "float32" }, TI: { type: "int32" }, axis: { int: -1 } } as const;
  return graph.emit({ op: "OneHot", inputs, attributes, output: ["output", ["float32"]] })[0]!;
}

/** uint32 0, 1, 2, … in the shape of x, row-major. Costs nothing in a cluster. */
export function rangeLike(x: Tensor): Tensor<"uint32"> {
  const { graph } = x;
  const types = { T: { type: x.dtype }, out_type: { type: "int32" } } as const;
  const [size] = graph.emit({ op: "Size", inputs: [x], attributes: types, output: ["output", ["int32"]] });
  const [shape] = graph.emit({ op: "Shape", inputs: [x], attributes: types, output: ["output", ["int32"]] });
  const range = graph.emit({
    op: "Range",
    inputs: [integer(graph, 0), size!, integer(graph, 1)],
    attributes: { Tidx: { type: "int32" } },
    output: ["output", ["int32"]],
  })[0]!;
  return graph.emit({
    op: "Reshape",
    inputs: [cast(range, "uint32"), shape!],
    attributes: { T: { type: "uint32" }, Tshape: { type: "int32" } },
    output: ["output", ["uint32"]],
  })[0]!;
}

/** The same value, but not before the values in `after` are there. */
export function delayed<T extends DType>(x: Tensor<T>, after: readonly Tensor[]): Tensor<T> {
  const attributes = { T: { type: x.dtype } };
  return x.graph.emit({ op: "Identity", inputs: [x], attributes, output: ["output", [x.dtype]], after })[0]!;
}
