import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * The messages of a SavedModel, as far as a graph of ours needs them: fields by their names and numbers in the .proto files of
 * https://github.com/tensorflow/tensorflow/tree/v2.21.0/tensorflow/core that are named above each. Fields are written in the order
 * given here, whatever their order in a value, so that equal graphs have equal bytes; one that is left out is not written.
 */

/** Writes a value, with the tag of its field before it. */
type Write<T> = (writer: BinaryWriter, fieldNumber: number, value: T) => void;
/** Writes a field with its one value or all its values. */
type Field<T> = (writer: BinaryWriter, value: T) => void;
type Message<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] extends Field<infer T> ? T : never };
type ValueOf<W> = W extends Write<infer T> ? T : never;

function single<T>(fieldNumber: number, write: Write<T>): Field<T> {
  return (writer, value) => write(writer, fieldNumber, value);
}

/** Numbers are written one by one, not packed: readers of proto3 take both. */
function repeated<T>(fieldNumber: number, write: Write<T>): Field<readonly T[]> {
  return (writer, values) => values.forEach((value) => write(writer, fieldNumber, value));
}

const string: Write<string> = (writer, field, value) => writer.tag(field, WireType.LengthDelimited).string(value);
const bytes: Write<Uint8Array> = (writer, field, value) => writer.tag(field, WireType.LengthDelimited).bytes(value);
const bool: Write<boolean> = (writer, field, value) => writer.tag(field, WireType.Varint).bool(value);
const int32: Write<number> = (writer, field, value) => writer.tag(field, WireType.Varint).int32(value);
const int64: Write<number> = (writer, field, value) => writer.tag(field, WireType.Varint).int64(value);
const float: Write<number> = (writer, field, value) => writer.tag(field, WireType.Bit32).float(value);
/** `DataType` of framework/types.proto: the numbers of `DTYPE_NUMBERS`. */
const dataType = int32;

function message<Fields>(fields: Fields): Write<Message<Fields>> {
  return (writer, field, value) => {
    writer.tag(field, WireType.LengthDelimited).fork();
    writeFields(writer, fields, value);
    writer.join();
  };
}

function writeFields<Fields>(writer: BinaryWriter, fields: Fields, value: Message<Fields>): void {
  for (const name of Object.keys(fields as object) as (keyof Fields)[]) {
    const given = value[name];
    if (given !== undefined) (fields[name] as Field<unknown>)(writer, given);
  }
}

function encode<Fields>(fields: Fields, value: Message<Fields>): Uint8Array {
  const writer = new BinaryWriter();
  writeFields(writer, fields, value);
  return writer.finish();
}

// framework/tensor_shape.proto
const tensorShapeProto = message({
  dim: repeated(2, message({ size: single(1, int64) })),
  unknown_rank: single(3, bool),
});

// framework/tensor.proto; the content is little-endian, in row-major order
const tensorProto = message({
  dtype: single(1, dataType),
  tensor_shape: single(2, tensorShapeProto),
  tensor_content: single(4, bytes),
});

// framework/attr_value.proto: exactly one of the fields; `func` is a NameAttrList
const attrValue = message({
  list: single(1, message({ type: repeated(6, dataType) })),
  s: single(2, string),
  i: single(3, int64),
  f: single(4, float),
  b: single(5, bool),
  type: single(6, dataType),
  shape: single(7, tensorShapeProto),
  tensor: single(8, tensorProto),
  func: single(10, message({ name: single(1, string) })),
});

// framework/node_def.proto; an input is another node's output or, to run after a node, `^name`. The map `attr` is sorted by key,
// because the order of a map is up to its writer.
const nodeDef = message({
  name: single(1, string),
  op: single(2, string),
  input: repeated(3, string),
  attr: repeated(5, message({ key: single(1, string), value: single(2, attrValue) })),
});

// framework/op_def.proto, OpDef.ArgDef and OpDef
const argDef = message({ name: single(1, string), type: single(3, dataType) });
const opDef = message({ name: single(1, string), input_arg: repeated(2, argDef), output_arg: repeated(3, argDef) });

// framework/function.proto; the map `ret` leads from a result's name to a node's output, `node:argument:index`
const functionDefFields = {
  signature: single(1, opDef),
  node_def: repeated(3, nodeDef),
  ret: repeated(4, message({ key: single(1, string), value: single(2, string) })),
};
const functionDef = message(functionDefFields);

// framework/graph.proto; framework/function.proto, FunctionDefLibrary; framework/versions.proto
const graphDef = message({
  node: repeated(1, nodeDef),
  library: single(2, message({ function: repeated(1, functionDef) })),
  versions: single(4, message({ producer: single(1, int32) })),
});

// protobuf/saved_model.proto; protobuf/meta_graph.proto
const savedModelFields = {
  saved_model_schema_version: single(1, int64),
  meta_graphs: repeated(
    2,
    message({ meta_info_def: single(1, message({ tags: repeated(4, string) })), graph_def: single(2, graphDef) }),
  ),
};

export type TensorShapeProto = ValueOf<typeof tensorShapeProto>;
export type AttrValue = ValueOf<typeof attrValue>;
export type NodeDef = ValueOf<typeof nodeDef>;
export type FunctionDef = Message<typeof functionDefFields>;

export function encodeSavedModel(value: Message<typeof savedModelFields>): Uint8Array {
  return encode(savedModelFields, value);
}

export function encodeFunctionDef(value: FunctionDef): Uint8Array {
  return encode(functionDefFields, value);
}
