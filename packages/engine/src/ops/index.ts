export type { DType, FloatType } from "./dtypes.ts";
export * from "./fused.ts";
export {
  cluster,
  Graph,
  type Dimension,
  type GraphOptions,
  type GraphBuilder,
  type Tensor,
  type TensorRecord,
} from "./graph.ts";
export * from "./layout.ts";
export * from "./math.ts";
export * from "./random.ts";
export { Session, type Fetched, type FeedValue, type RunOptions } from "./session.ts";
export * from "./state.ts";
