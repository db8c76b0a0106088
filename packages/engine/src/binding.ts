/** A tensor that a run made: the caller owns `id` and frees it with `deleteTensor`. */
interface TensorMetadata {
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
  /** TensorFlow's version, e.g. "2.21.0". */
  readonly TF_Version: string;
}
