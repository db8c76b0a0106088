/** One attribute of a TensorFlow op; `type` is one of the binding's `TF_ATTR_*` numbers. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  /** A list of numbers or booleans is set as a list attribute; for `TF_ATTR_TYPE` the value is a dtype number. */
  readonly value: string | number | boolean | readonly number[] | readonly boolean[];
}

/** A tensor that `executeOp` made: the caller owns `id` and frees it with `deleteTensor`. */
export interface TensorMetadata {
  readonly id: number;
  readonly shape: number[];
  /** TensorFlow's dtype number: 1 float32, 3 int32, 4 uint8, 9 int64, 10 bool, 14 bfloat16, 20 resource. */
  readonly dtype: number;
}

/**
 * The native addon under tfjs-node, as its C++ sources (`binding/*.cc`) define it. Every call throws an `Error` with
 * TensorFlow's own message when TensorFlow refuses. Tensor ids are small integers, never reused within a process.
 */
export interface NativeBinding {
  /** Copies `values` to a new tensor; int64 is given as an Int32Array of low and high words. Not for bfloat16. */
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array | Uint8Array): number;
  deleteTensor(tensorId: number): void;
  /** A copy of the values; a bool or a resource comes as bytes. Not for bfloat16: cast it first. */
  tensorDataSync(tensorId: number): Float32Array | Int32Array | Uint8Array | BigInt64Array;
  /** Runs any op of TensorFlow's registry on the default device. Inputs stay alive. */
  executeOp(
    opName: string,
    attributes: readonly OpAttribute[],
    inputTensorIds: readonly number[],
    outputCount: number,
  ): TensorMetadata[];
  loadSavedModel(exportFolder: string, tags: string): number;
  deleteSavedModel(savedModelId: number): void;
  runSavedModel(
    savedModelId: number,
    inputTensorIds: readonly number[],
    inputOpNames: string,
    outputOpNames: string,
  ): TensorMetadata[];
  getNumOfSavedModels(): number;
  getNumOfTensors(): number;
  isUsingGpuDevice(): boolean;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_BOOL: number;
  readonly TF_COMPLEX64: number;
  readonly TF_STRING: number;
  readonly TF_RESOURCE: number;
  readonly TF_UINT8: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  /** TensorFlow's version, e.g. "2.21.0". */
  readonly TF_Version: string;
}
