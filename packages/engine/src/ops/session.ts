import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BertqaError, temporaryFolderError } from "@bertqa/core";
import type { NativeBinding } from "../binding.ts";
import { DTYPE_NUMBERS, type DType } from "./dtypes.ts";
import { SAVED_MODEL_TAG, type Dimension, type Graph, type Tensor } from "./graph.ts";

/** Numbers handed to a graph for one run. Lengths (`Dimension` names) are given apart, in `RunOptions`. */
export type FeedValue =
  | { readonly dtype: "float32"; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "int32"; readonly shape: readonly number[]; readonly data: Int32Array };

/** What a run fetched; bool, bfloat16 and the like have to be cast inside the graph. */
export interface Fetched<T extends DType = "float32"> {
  readonly shape: readonly number[];
  readonly data: T extends "int32" ? Int32Array : Float32Array;
}

export interface RunOptions {
  readonly feeds?: ReadonlyMap<Tensor, FeedValue>;
  /** The value of each named `Dimension`. */
  readonly lengths?: Readonly<Record<string, number>>;
}

/**
 * A graph loaded into TensorFlow, with the variables it holds. `dispose` frees them.
 *
 * No raw handle leaves this class: what a run feeds and fetches is freed before `run` returns, and the executor frees
 * every value in between after its last reader.
 */
export class Session {
  private readonly binding: NativeBinding;
  private readonly memoryRemedy: string;
  private readonly fedShapes: ReadonlyMap<string, readonly Dimension[]>;
  private savedModelId: number | undefined;

  /** @param memoryRemedy what to do where a run gets no memory, for the message */
  constructor(binding: NativeBinding, graph: Graph, memoryRemedy = "Free some memory") {
    this.binding = binding;
    this.memoryRemedy = memoryRemedy;
    this.fedShapes = graph.fedShapes;
    const program = graph.toSavedModel();
    const folder = orExplain(() => mkdtempSync(join(tmpdir(), "bertqa-graph-")));
    try {
      orExplain(() => writeFileSync(join(folder, "saved_model.pb"), program));
      this.savedModelId = binding.loadSavedModel(folder, SAVED_MODEL_TAG);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /**
   * Runs what `targets` need and waits for it.
   *
   * @param targets float32 or int32
   * @returns the value of each target
   * @throws BertqaError where memory runs out; Error for a target of another type, or with TensorFlow's own message, for example
   *   about what was not fed
   */
  run<const T extends readonly Tensor[]>(
    targets: T,
    options: RunOptions = {},
  ): { [Index in keyof T]: Fetched<T[Index]["dtype"]> } {
    for (const { dtype, reference } of targets) {
      if (dtype === "float32" || dtype === "int32") continue;
      throw new Error(`cannot fetch ${reference}, which is ${dtype}: cast it to float32 or int32 in the graph`);
    }
    const handles: number[] = [];
    try {
      const results = this.runRaw(targets, options, handles);
      const fetched = results.map(({ id, shape }) => ({ shape, data: this.binding.tensorDataSync(id) }));
      return fetched as { [Index in keyof T]: Fetched<T[Index]["dtype"]> };
    } finally {
      for (const id of handles) this.binding.deleteTensor(id);
    }
  }

  dispose(): void {
    if (this.savedModelId === undefined) return;
    this.binding.deleteSavedModel(this.savedModelId);
    this.savedModelId = undefined;
  }

  private runRaw(targets: readonly Tensor[], options: RunOptions, handles: number[]) {
    if (this.savedModelId === undefined) throw new Error("this session was disposed");
    const names: string[] = [];
    const ids: number[] = [];
    const feed = (reference: string, dtype: number, shape: readonly number[], data: Float32Array | Int32Array) => {
      const id = this.binding.createTensor(shape, dtype, data);
      handles.push(id);
      names.push(reference);
      ids.push(id);
    };
    for (const [tensor, value] of options.feeds ?? []) {
      feed(tensor.reference, DTYPE_NUMBERS[value.dtype], value.shape, value.data);
    }
    for (const [reference, dimensions] of this.fedShapes) {
      const lengths = dimensions.map((dimension) => resolveDimension(dimension, options.lengths));
      if (lengths.some(Number.isNaN)) continue; // a shape of a part of the graph that this run leaves out
      feed(reference, DTYPE_NUMBERS.int32, [lengths.length], Int32Array.from(lengths));
    }
    const fetches = targets.map(({ reference }) => reference).join(",");
    try {
      const results = this.binding.runSavedModel(this.savedModelId, ids, names.join(","), fetches);
      for (const { id } of results) handles.push(id);
      return results;
    } catch (error) {
      throw this.explained(error as Error);
    }
  }

  /** "OOM when allocating tensor with shape[…]" of an op on either device, "Out of memory while trying to allocate …" of XLA. */
  private explained(error: Error): Error {
    const [line] = /^.*(?:\bOOM\b|out[ _]of[ _]memory).*$/im.exec(error.message) ?? [];
    if (line === undefined) return error;
    const shape = /shape\[([\d,]+)\]/.exec(line)?.[1]?.replaceAll(",", " × ");
    const place = shape === undefined ? "" : `, at a tensor of shape ${shape}`;
    return new BertqaError("engine", `the memory ran out${place}`, { remedy: this.memoryRemedy, cause: error });
  }
}

function orExplain<T>(write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw temporaryFolderError("engine", cause);
  }
}

function resolveDimension(dimension: Dimension, lengths: Readonly<Record<string, number>> = {}): number {
  return typeof dimension === "number" ? dimension : (lengths[dimension] ?? Number.NaN);
}
