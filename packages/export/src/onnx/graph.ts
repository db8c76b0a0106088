import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "onnx-buf";

/** Name of a node's output, of an input or of a stored tensor. */
export type Value = string & { readonly onnxValue: true };
/** A number becomes a FLOAT, a bigint an INT, an array of bigints INTS, a string STRING. */
type Attributes = Readonly<Record<string, number | bigint | readonly bigint[] | string>>;
/** Letters are dimensions that vary from run to run. */
type Dimensions = readonly (number | string)[];

/** The element type float32, as `Cast` names it. */
export const FLOAT = BigInt(DataType.FLOAT);

/** opset 20 (ONNX 1.15, 2023): the first with Gelu, which runtimes fuse with its bias. IR 9 came with it. */
const OPSET_VERSION = 20n;
const IR_VERSION = 9n;
/** A protobuf message is shorter than 2 GiB. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Builds an ONNX model node by node. Names are counted, so that equal calls give equal bytes. */
export class OnnxGraph {
  readonly #nodes: NodeProto[] = [];
  readonly #tensors = new Map<string, TensorProto>();
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];

  input(name: string, type: "int64", shape: Dimensions): Value {
    this.#inputs.push(valueInfo(name, DataType.INT64, shape));
    return name as Value;
  }

  /** A float32 output of the model, and the node that makes it. */
  output(name: string, shape: Dimensions, operator: string, inputs: readonly Value[]): void {
    this.#outputs.push(valueInfo(name, DataType.FLOAT, shape));
    this.#add(operator, inputs, [name], {});
  }

  /** A node with one output. */
  node(operator: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  /** A node with several outputs. */
  nodes(operator: string, inputs: readonly Value[], outputCount: number, attributes: Attributes = {}): Value[] {
    const name = `${operator}_${this.#nodes.length}`;
    const outputs = Array.from({ length: outputCount }, (_, i) => `${name}_${i}` as Value);
    this.#add(operator, inputs, outputs, attributes);
    return outputs;
  }

  /** A stored tensor; a name that is there already stands for the same tensor. */
  float32(name: string, shape: readonly number[], data: Float32Array): Value {
    return this.#store(name, DataType.FLOAT, shape, data);
  }

  int8(name: string, shape: readonly number[], data: Int8Array): Value {
    return this.#store(name, DataType.INT8, shape, data);
  }

  /** A float32 scalar. */
  float(value: number): Value {
    return this.#store(`float_${value}`, DataType.FLOAT, [], Float32Array.of(value));
  }

  /** An int64 vector. */
  int64(...values: number[]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.#store(`int_${values.join("_")}`, DataType.INT64, [values.length], data);
  }

  /** The model file. @throws RangeError above 2 GiB, which protobuf cannot hold */
  toBytes(graphName: string): Uint8Array {
    const bytes = [...this.#tensors.values()].reduce((sum, tensor) => sum + tensor.rawData.length, 0);
    if (bytes > MAX_MODEL_BYTES)
      throw new RangeError(`${bytes} bytes of weights, an ONNX file holds ${MAX_MODEL_BYTES}`);
    const graph = create(GraphProtoSchema, {
      name: graphName,
      node: this.#nodes,
      initializer: [...this.#tensors.values()],
      input: this.#inputs,
      output: this.#outputs,
    });
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "bertqa",
      opsetImport: [{ domain: "", version: OPSET_VERSION }],
      graph,
    });
    return toBinary(ModelProtoSchema, model);
  }

  #add(opType: string, inputs: readonly Value[], outputs: readonly string[], attributes: Attributes): void {
    const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
    const name = `${opType}_${this.#nodes.length}`;
    this.#nodes.push(create(NodeProtoSchema, { name, opType, attribute, input: [...inputs], output: [...outputs] }));
  }

  #store(name: string, dataType: DataType, dims: readonly number[], data: ArrayBufferView): Value {
    const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    if (!this.#tensors.has(name)) {
      this.#tensors.set(name, create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData }));
    }
    return name as Value;
  }
}

function attributeOf(name: string, value: Attributes[string]): AttributeProto {
  const content = (): MessageInitShape<typeof AttributeProtoSchema> => {
    if (typeof value === "number") return { type: AttributeType.FLOAT, f: value };
    if (typeof value === "bigint") return { type: AttributeType.INT, i: value };
    if (typeof value === "string") return { type: AttributeType.STRING, s: new TextEncoder().encode(value) };
    return { type: AttributeType.INTS, ints: [...value] };
  };
  return create(AttributeProtoSchema, { name, ...content() });
}

function valueInfo(name: string, elemType: DataType, shape: Dimensions): ValueInfoProto {
  const dim = shape.map((size) => ({
    value:
      typeof size === "number"
        ? ({ case: "dimValue", value: BigInt(size) } as const)
        : ({ case: "dimParam", value: size } as const),
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType, shape: { dim } } } },
  });
}
