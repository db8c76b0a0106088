import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * The messages of a SavedModel, as far as a graph of ours needs them: names and numbers of the fields as in the files of
 * https://github.com/tensorflow/tensorflow/tree/v2.21.0/tensorflow/core named above each. Fields are written in the order given
 * here, whatever the order in the value, so that equal graphs have equal bytes; a field that is left out is not written.
 */

/** Writes one value of a type behind the tag of a field. */
type Write<T> = (writer: BinaryWriter, fieldNumber: number, value: T) => void;
/** Writes a field with all its values. */
type Field<T> = (writer: BinaryWriter, value: T) => void;
type Fields<M> = { readonly [Name in keyof M]-?: Field<NonNullable<M[Name]>> };

const single =
  <T>(fieldNumber: number, write: Write<T>): Field<T> =>
  (writer, value) =>
    write(writer, fieldNumber, value);

/** Numbers are written one by one, not packed: readers of proto3 take both. */
const repeated =
  <T>(fieldNumber: number, write: Write<T>): Field<readonly T[]> =>
  (writer, values) => {
    for (const value of values) write(writer, fieldNumber, value);
  };

const string: Write<string> = (writer, field, value) => writer.tag(field, WireType.LengthDelimited).string(value);
const bytes: Write<Uint8Array> = (writer, field, value) => writer.tag(field, WireType.LengthDelimited).bytes(value);
const bool: Write<boolean> = (writer, field, value) => writer.tag(field, WireType.Varint).bool(value);
const int32: Write<number> = (writer, field, value) => writer.tag(field, WireType.Varint).int32(value);
const int64: Write<number> = (writer, field, value) => writer.tag(field, WireType.Varint).int64(value);
const float: Write<number> = (writer, field, value) => writer.tag(field, WireType.Bit32).float(value);
/** An enum's number. */
const enumeration = int32;

function message<M>(fields: Fields<M>): Write<M> {
  return (writer, field, value) => {
    writer.tag(field, WireType.LengthDelimited).fork();
    writeFields(writer, fields, value);
    writer.join();
  };
}

function writeFields<M>(writer: BinaryWriter, fields: Fields<M>, value: M): void {
  for (const name of Object.keys(fields) as (keyof M)[]) {
    const given = value[name];
    if (given !== undefined && given !== null) fields[name](writer, given);
  }
}

function encode<M>(fields: Fields<M>, value: M): Uint8Array {
  const writer = new BinaryWriter();
  writeFields(writer, fields, value);
  return writer.finish();
}

/** framework/tensor_shape.proto */
export interface TensorShapeProto {
  readonly dim?: readonly { readonly size: number }[];
  readonly unknown_rank?: boolean;
}
const tensorShapeProto = message<TensorShapeProto>({
  dim: repeated(2, message({ size: single(1, int64) })),
  unknown_rank: single(3, bool),
});

/** framework/tensor.proto */
export interface TensorProto {
  /** framework/types.proto, `DataType`; here and below as `DTYPE_NUMBERS` gives it. */
  readonly dtype: number;
  readonly tensor_shape: TensorShapeProto;
  /** The elements in row-major order, little-endian. */
  readonly tensor_content: Uint8Array;
}
const tensorProto = message<TensorProto>({
  dtype: single(1, enumeration),
  tensor_shape: single(2, tensorShapeProto),
  tensor_content: single(4, bytes),
});

/** framework/attr_value.proto: exactly one of the fields. */
export interface AttrValue {
  readonly list?: { readonly type: readonly number[] };
  readonly s?: string;
  readonly i?: number;
  readonly f?: number;
  readonly b?: boolean;
  readonly type?: number;
  readonly shape?: TensorShapeProto;
  readonly tensor?: TensorProto;
  /** `NameAttrList`: the name of a function of the library. */
  readonly func?: { readonly name: string };
}
const attrValue = message<AttrValue>({
  list: single(1, message({ type: repeated(6, enumeration) })),
  s: single(2, string),
  i: single(3, int64),
  f: single(4, float),
  b: single(5, bool),
  type: single(6, enumeration),
  shape: single(7, tensorShapeProto),
  tensor: single(8, tensorProto),
  func: single(10, message({ name: single(1, string) })),
});

/** framework/node_def.proto */
export interface NodeDef {
  readonly name: string;
  readonly op: string;
  /** Outputs of other nodes; then nodes that must have run before, as `^name`. */
  readonly input: readonly string[];
  /** `map<string, AttrValue>`; sorted by key, because a map's order is up to its writer. */
  readonly attr: readonly { readonly key: string; readonly value: AttrValue }[];
}
const nodeDef = message<NodeDef>({
  name: single(1, string),
  op: single(2, string),
  input: repeated(3, string),
  attr: repeated(5, message({ key: single(1, string), value: single(2, attrValue) })),
});

/** framework/op_def.proto, `OpDef.ArgDef` */
export interface ArgDef {
  readonly name: string;
  readonly type: number;
}
const argDef = message<ArgDef>({ name: single(1, string), type: single(3, enumeration) });

/** framework/function.proto */
export interface FunctionDef {
  /** framework/op_def.proto, `OpDef` */
  readonly signature: {
    readonly name: string;
    readonly input_arg: readonly ArgDef[];
    readonly output_arg: readonly ArgDef[];
  };
  readonly node_def: readonly NodeDef[];
  /** `map<string, string>`: each result's name → the output of a node, `node:argument:index`. */
  readonly ret: readonly { readonly key: string; readonly value: string }[];
}
const functionDefFields: Fields<FunctionDef> = {
  signature: single(
    1,
    message({ name: single(1, string), input_arg: repeated(2, argDef), output_arg: repeated(3, argDef) }),
  ),
  node_def: repeated(3, nodeDef),
  ret: repeated(4, message({ key: single(1, string), value: single(2, string) })),
};

/** framework/graph.proto */
export interface GraphDef {
  readonly node: readonly NodeDef[];
  /** framework/function.proto, `FunctionDefLibrary` */
  readonly library: { readonly function: readonly FunctionDef[] };
  /** framework/versions.proto, `VersionDef` */
  readonly versions: { readonly producer: number };
}
const graphDef = message<GraphDef>({
  node: repeated(1, nodeDef),
  library: single(2, message({ function: repeated(1, message(functionDefFields)) })),
  versions: single(4, message({ producer: single(1, int32) })),
});

/** protobuf/meta_graph.proto */
interface MetaGraphDef {
  readonly meta_info_def: { readonly tags: readonly string[] };
  readonly graph_def: GraphDef;
}

/** protobuf/saved_model.proto */
export interface SavedModel {
  readonly saved_model_schema_version: number;
  readonly meta_graphs: readonly MetaGraphDef[];
}
const savedModelFields: Fields<SavedModel> = {
  saved_model_schema_version: single(1, int64),
  meta_graphs: repeated(
    2,
    message<MetaGraphDef>({
      meta_info_def: single(1, message({ tags: repeated(4, string) })),
      graph_def: single(2, graphDef),
    }),
  ),
};

export function encodeSavedModel(value: SavedModel): Uint8Array {
  return encode(savedModelFields, value);
}

export function encodeFunctionDef(value: FunctionDef): Uint8Array {
  return encode(functionDefFields, value);
}
