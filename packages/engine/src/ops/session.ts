import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NativeBinding } from "../binding.ts";
import { DTYPE_NUMBERS } from "./dtypes.ts";
import { SAVED_MODEL_TAG, type Dimension, type Graph, type Tensor } from "./graph.ts";

/** Numbers handed to a graph for one run. Lengths (`Dimension` names) are given apart, in `RunOptions`. */
export type FeedValue =
  | { readonly dtype: "float32"; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "int32"; readonly shape: readonly number[]; readonly data: Int32Array };

export interface Fetched {
  readonly shape: readonly number[];
  readonly data: Float32Array;
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
  private readonly fedShapes: ReadonlyMap<string, readonly Dimension[]>;
  private savedModelId: number | undefined;

  constructor(binding: NativeBinding, graph: Graph) {
    this.binding = binding;
    this.fedShapes = graph.fedShapes;
    const folder = mkdtempSync(join(tmpdir(), "bertqa-graph-"));
    try {
      writeFileSync(join(folder, "saved_model.pb"), graph.toSavedModel());
      this.savedModelId = binding.loadSavedModel(folder, SAVED_MODEL_TAG);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Runs what `targets` need and waits for it. @returns the value of each float32 target */
  run(targets: readonly Tensor[], options: RunOptions = {}): Fetched[] {
    const handles: number[] = [];
    try {
      const results = this.runRaw(targets, options, handles);
      return results.map(({ id, shape }, index) => {
        if (targets[index]!.dtype !== "float32") return { shape, data: new Float32Array() };
        return { shape, data: this.binding.tensorDataSync(id) as Float32Array };
      });
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
    const results = this.binding.runSavedModel(this.savedModelId, ids, names.join(","), fetches);
    for (const { id } of results) handles.push(id);
    return results;
  }
}

function resolveDimension(dimension: Dimension, lengths: Readonly<Record<string, number>> = {}): number {
  return typeof dimension === "number" ? dimension : (lengths[dimension] ?? Number.NaN);
}
