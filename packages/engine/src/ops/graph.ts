import { createHash } from "node:crypto";
import { DTYPE_NUMBERS, type DType } from "./dtypes.ts";
import { encodeMessage, type Field, type FieldValue } from "./protobuf.ts";

/** A value inside a graph that is being built. It holds no memory: the executor frees values after their last reader. */
export interface Tensor<T extends DType = DType> {
  readonly graph: NodeSink;
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
  readonly name?: string;
}

interface Node {
  readonly name: string;
  readonly fields: readonly Field[];
}

/** Whatever nodes can be added to: the main graph, or the body of a cluster. */
export abstract class NodeSink {
  protected readonly nodes: Node[] = [];
  private readonly constants = new Map<string, Tensor>();

  abstract readonly main: Graph;
  protected abstract outputReference(node: string, argument: string, index: number): string;
  protected abstract controlReference(tensor: Tensor): string;

  /** Adds one node. Only the files of `ops/` call this: they are the one place that knows TensorFlow's names. */
  emit<T extends DType>(spec: NodeSpec<T>): Tensor<T>[] {
    const name = spec.name ?? `n${this.nodes.length}`;
    const inputs = spec.inputs ?? [];
    for (const input of inputs) {
      if (input.graph !== this) throw new Error(`${spec.op}: input ${input.reference} belongs to another graph`);
    }
    const attributes = Object.entries(spec.attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    this.nodes.push({
      name,
      fields: [
        [1, name],
        [2, spec.op],
        ...inputs.map((input): Field => [3, input.reference]),
        ...(spec.after ?? []).map((tensor): Field => [3, this.controlReference(tensor)]),
        ...attributes.map(([key, value]): Field => [5, [[1, key], [2, encodeAttribute(value)]]]), // prettier-ignore
      ],
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

export interface GraphOptions {
  /** Compile each cluster with XLA into a few passes over memory, once per shape; otherwise its ops run one by one. */
  readonly compileClusters: boolean;
}

/** A whole program for TensorFlow's executor, saved as a SavedModel and run by a `Session`. */
export class Graph extends NodeSink {
  readonly options: GraphOptions;
  /** Shape vectors that contain fed lengths, by the name of their placeholder. */
  readonly fedShapes = new Map<string, readonly Dimension[]>();
  private scope = "";
  private readonly functions = new Map<string, Uint8Array>();

  constructor(options: GraphOptions) {
    super();
    this.options = options;
  }

  override get main(): Graph {
    return this;
  }

  protected override outputReference(node: string, _argument: string, index: number): string {
    return `${node}:${index}`;
  }

  protected override controlReference(tensor: Tensor): string {
    return `^${tensor.reference.split(":")[0]}`;
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
  addFunction(encodeWithName: (name: string) => Uint8Array): string {
    const digest = createHash("sha256").update(encodeWithName("")).digest("hex").slice(0, 16);
    const name = `cluster_${digest}`;
    if (!this.functions.has(name)) this.functions.set(name, encodeWithName(name));
    return name;
  }

  /** The bytes of `saved_model.pb`. */
  toSavedModel(): Uint8Array {
    const graphDef: Field[] = [
      ...this.nodes.map((node): Field => [1, node.fields]),
      [2, [...this.functions.values()].map((bytes): Field => [1, bytes])],
      [4, [[1, 1500]]], // a producer version that every TensorFlow 2 reads
    ];
    return encodeMessage([
      [1, 1],
      [2, [[1, [[4, SAVED_MODEL_TAG]]], [2, graphDef]]], // prettier-ignore
    ]);
  }
}

export const SAVED_MODEL_TAG = "serve";

class FunctionBody extends NodeSink {
  override readonly main: Graph;

  constructor(main: Graph) {
    super();
    this.main = main;
  }

  protected override outputReference(node: string, argument: string, index: number): string {
    return `${node}:${argument}:${index}`;
  }

  protected override controlReference(tensor: Tensor): string {
    return `^${tensor.reference.split(":")[0]}`;
  }

  encode(name: string, inputs: readonly Tensor[], outputs: readonly Tensor[]): Uint8Array {
    const argument = (prefix: string) => (tensor: Tensor, index: number) =>
      [[1, `${prefix}${index}`], [3, DTYPE_NUMBERS[tensor.dtype]]] as const; // prettier-ignore
    return encodeMessage([
      [
        1,
        [
          [1, name],
          ...inputs.map((tensor, index): Field => [2, argument("in")(tensor, index)]),
          ...outputs.map((tensor, index): Field => [3, argument("out")(tensor, index)]),
        ],
      ],
      ...this.nodes.map((node): Field => [3, node.fields]),
      ...outputs.map((tensor, index): Field => [4, [[1, `out${index}`], [2, tensor.reference]]]), // prettier-ignore
    ]);
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
  const functionName = main.addFunction((name) => functionBody.encode(name, inner, innerResults));
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

function encodeAttribute(value: AttributeValue): readonly Field[] {
  if ("type" in value) return [[6, DTYPE_NUMBERS[value.type]]];
  if ("types" in value) return [[1, value.types.map((dtype): Field => [6, DTYPE_NUMBERS[dtype]])]];
  if ("int" in value) return [[3, value.int]];
  if ("float" in value) return [[4, { float32: value.float }]];
  if ("bool" in value) return [[5, value.bool]];
  if ("text" in value) return [[2, value.text]];
  if ("shape" in value) return [[7, value.shape === "unknown" ? [[3, true]] : encodeShape(value.shape)]];
  if ("function" in value) return [[10, [[1, value.function]]]];
  const { dtype, shape, bytes } = value.constant;
  return [[8, [[1, DTYPE_NUMBERS[dtype]], [2, encodeShape(shape)], [4, bytes]]]]; // prettier-ignore
}

function encodeShape(shape: readonly number[]): FieldValue {
  return shape.map((length): Field => [2, [[1, length]]]);
}
