/** TensorFlow's element types that bertqa uses, with their numbers in `types.proto`. */
export const DTYPE_NUMBERS = {
  float32: 1,
  int32: 3,
  uint8: 4,
  bool: 10,
  bfloat16: 14,
  resource: 20,
  uint32: 22,
} as const;

export type DType = keyof typeof DTYPE_NUMBERS;
export type FloatType = "float32" | "bfloat16";
