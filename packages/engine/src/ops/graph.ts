import { createHash } from "node:crypto";
import { DTYPE_NUMBERS, type DType } from "./dtypes.ts";
import {
  encodeFunctionDef,
  encodeSavedModel,
  type AttrValue,
  type FunctionDef,
  type NodeDef,
  type TensorShapeProto,
} from "./messages.ts";

/** A value inside a graph that is being built. It holds no memory: the executor frees values after their last reader. */
export interface Tensor<T extends DType = DType> {
  readonly graph: GraphBuilder;
  /** The reference that a consumer writes among its inputs. */
  readonly reference: string;
  readonly dtype: T;
}

/** A length known when the graph is built, or the name of one that is fed with each batch. */
export type Dimension = number | string;

type AttributeValue =
  | { readonly type: DType }
  | { readonly types: readonly DType[] }
  | { readonly int: number }
  | { readonly float: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly shape: readonly number[] | "unknown" }
  | { readonly constant: ConstantValue }
  | { readonly function: string };

export interface ConstantValue {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface NodeSpec<T extends DType> {
  readonly op: string;
  readonly inputs?: readonly Tensor[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Name of the op's output argument in TensorFlow's registry, and the type of each tensor in it. */
  readonly output: readonly [argument: string, dtypes: readonly T[]];
  /** Nodes that must have run before. */
  readonly after?: readonly Tensor[];
}

/** Whatever nodes can be added to: the main graph, or the body of a cluster. */
export abstract class GraphBuilder {
  protected readonly nodes: NodeDef[] = [];
  private readonly constants = new Map<string, Tensor>();

  abstract readonly main: Graph;
  protected abstract outputReference(node: string, argument: string, index: number): string;

  /** Adds one node. Only the files of `ops/` call this: they are the one place that knows TensorFlow's names. */
  emit<T extends DType>(spec: NodeSpec<T>): Tensor<T>[] {
    const { op, inputs = [], after = [], attributes = {} } = spec;
    const name = `n${this.nodes.length}`;
    for (const input of inputs) {
      if (input.graph !== this) throw new Error(`${op}: input ${input.reference} belongs to another graph`);
    }
    const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    this.nodes.push({
      name,
      op,
      input: [...inputs.map(({ reference }) => reference), ...after.map(controlReference)],
      attr: sorted.map(([key, value]) => ({ key, value: attrValueOf(value) })),
    });
    const [argument, dtypes] = spec.output;
    return dtypes.map((dtype, index) => ({
      graph: this,
      reference: this.outputReference(name, argument, index),
      dtype,
    }));
  }

  /** One node for equal constants. */
  constant<T extends DType>(value: ConstantValue & { readonly dtype: T }): Tensor<T> {
    const key = `${value.dtype} ${value.shape.join()} ${Buffer.from(value.bytes).toString("base64")}`;
    let tensor = this.constants.get(key);
    if (!tensor) {
      const attributes = { dtype: { type: value.dtype }, value: { constant: value } };
      tensor = this.emit({ op: "Const", attributes, output: ["output", [value.dtype]] })[0]!;
      this.constants.set(key, tensor);
    }
    return tensor as Tensor<T>;
  }
}

/** Names a tensor's node among the inputs of another, which then runs after it. */
function controlReference({ reference }: Tensor): string {
  return `^${reference.split(":")[0]}`;
}

export interface GraphOptions {
  /** Compile each cluster with XLA into a few passes over memory, once per shape; otherwise its ops run one by one. */
  readonly compileClusters: boolean;
  /** Blocks use the kernels of `ops/fused.ts`: the engine has them, and the graph computes in float32. */
  readonly fusedKernels?: boolean;
}

/** A whole program for TensorFlow's executor, saved as a SavedModel and run by a `Session`. */
export class Graph extends GraphBuilder {
  readonly options: GraphOptions;
  /** Shape vectors that contain fed lengths, by the name of their placeholder. */
  readonly fedShapes = new Map<string, readonly Dimension[]>();
  private scope = "";
  private readonly functions = new Map<string, FunctionDef>();

  constructor(options: GraphOptions) {
    super();
    this.options = options;
  }

  override get main(): this {
    return this;
  }

  protected override outputReference(node: string, _argument: string, index: number): string {
    return `${node}:${index}`;
  }

  /**
   * Builds a part of the graph whose named lengths are its own: `L` inside is fed as `name.L`. So two parts can run side
   * by side on batches of different sizes.
   */
  withOwnLengths<R>(name: string, build: () => R): R {
    const outer = this.scope;
    this.scope = `${outer}${name}.`;
    try {
      return build();
    } finally {
      this.scope = outer;
    }
  }

  /** The length as runs feed it: its name here, after the names of the parts around it. */
  scoped(dimension: Dimension): Dimension {
    return typeof dimension === "number" ? dimension : this.scope + dimension;
  }

  /** @returns the function's name; equal bodies share one, so that they are compiled once. */
  addFunction(functionNamed: (name: string) => FunctionDef): string {
    const digest = createHash("sha256")
      .update(encodeFunctionDef(functionNamed("")))
      .digest("hex")
      .slice(0, 16);
    const name = `cluster_${digest}`;
    if (!this.functions.has(name)) this.functions.set(name, functionNamed(name));
    return name;
  }

  /** The bytes of `saved_model.pb`; equal graphs have equal bytes. */
  toSavedModel(): Uint8Array {
    const graph_def = {
      node: this.nodes,
      library: { function: [...this.functions.values()] },
      versions: { producer: 1500 }, // of 2023: every TensorFlow 2 reads it
    };
    return encodeSavedModel({
      saved_model_schema_version: 1,
      meta_graphs: [{ meta_info_def: { tags: [SAVED_MODEL_TAG] }, graph_def }],
    });
  }
}

export const SAVED_MODEL_TAG = "serve";

class FunctionBody extends GraphBuilder {
  override readonly main: Graph;

  constructor(main: Graph) {
    super();
    this.main = main;
  }

  protected override outputReference(node: string, argument: string, index: number): string {
    return `${node}:${argument}:${index}`;
  }

  toFunction(name: string, inputs: readonly Tensor[], outputs: readonly Tensor[]): FunctionDef {
    const argument = (prefix: string) => (tensor: Tensor, index: number) => ({
      name: `${prefix}${index}`,
      type: DTYPE_NUMBERS[tensor.dtype],
    });
    return {
      signature: { name, input_arg: inputs.map(argument("in")), output_arg: outputs.map(argument("out")) },
      node_def: this.nodes,
      ret: outputs.map(({ reference }, index) => ({ key: `out${index}`, value: reference })),
    };
  }
}

export type TensorRecord = Readonly<Record<string, Tensor | undefined>>;

/**
 * Builds `body` as one compiled unit: its element-wise chains and reductions become a few loops over memory.
 * Everything that `body` reads must be in `inputs`; it may add constants of its own, and no op that takes a shape.
 */
export function cluster<I extends TensorRecord, O extends TensorRecord>(inputs: I, body: (inputs: I) => O): O {
  const inputNames = Object.keys(inputs).filter((name) => inputs[name]);
  const outer = inputNames.map((name) => inputs[name]!);
  const { main } = outer[0]!.graph;
  if (!main.options.compileClusters) return body(inputs);

  const functionBody = new FunctionBody(main);
  const inner = outer.map(({ dtype }, index): Tensor => ({ graph: functionBody, reference: `in${index}`, dtype }));
  const results = body(Object.fromEntries(inputNames.map((name, index) => [name, inner[index]!])) as unknown as I);
  const resultNames = Object.keys(results);
  const innerResults = resultNames.map((name) => results[name]!);
  const functionName = main.addFunction((name) => functionBody.toFunction(name, inner, innerResults));
  const outputs = main.emit({
    op: "PartitionedCall",
    inputs: outer,
    attributes: {
      Tin: { types: outer.map(({ dtype }) => dtype) },
      Tout: { types: innerResults.map(({ dtype }) => dtype) },
      f: { function: functionName },
      config: { text: "" },
      config_proto: { text: "" },
      executor_type: { text: "" },
      _XlaMustCompile: { bool: true },
    },
    output: ["output", innerResults.map(({ dtype }) => dtype)],
  });
  return Object.fromEntries(resultNames.map((name, index) => [name, outputs[index]!])) as unknown as O;
}

function attrValueOf(value: AttributeValue): AttrValue {
  if ("type" in value) return { type: DTYPE_NUMBERS[value.type] };
  if ("types" in value) return { list: { type: value.types.map((dtype) => DTYPE_NUMBERS[dtype]) } };
  if ("int" in value) return { i: value.int };
  if ("float" in value) return { f: value.float };
  if ("bool" in value) return { b: value.bool };
  if ("text" in value) return { s: value.text };
  if ("shape" in value) return { shape: value.shape === "unknown" ? { unknown_rank: true } : shapeProto(value.shape) };
  if ("function" in value) return { func: { name: value.function } };
  const { dtype, shape, bytes } = value.constant;
  return { tensor: { dtype: DTYPE_NUMBERS[dtype], tensor_shape: shapeProto(shape), tensor_content: bytes } };
}

function shapeProto(shape: readonly number[]): TensorShapeProto {
  return { dim: shape.map((size) => ({ size })) };
}
