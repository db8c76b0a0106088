import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { BertqaError } from "@bertqa/core";
import type * as Tfjs from "@tensorflow/tfjs-node-gpu";
import type { NativeBinding } from "./binding.ts";
import { polyfillUtil } from "./load-polyfill.ts";
import { requireInstalledEngine } from "./locate.ts";

/** TensorFlow, ready to compute, in this process. */
export interface Engine {
  /** tfjs with the TensorFlow backend set. */
  readonly tf: typeof Tfjs;
  /** The native addon, for ops and dtypes that tfjs lacks. */
  readonly binding: NativeBinding;
  readonly device: "cpu" | "gpu";
  /** Threads that one op may use on the CPU. */
  readonly threads: number;
}

export interface LoadOptions {
  /** Threads that one op may use, ≥ 1. Default: `BERTQA_THREADS`, or else every core the process may use. */
  readonly threads?: number;
}

let loaded: Engine | undefined;

/**
 * Loads TensorFlow once a process; later calls return the same engine.
 *
 * @throws BertqaError if `engine:install` has not run, the thread count is not a whole number ≥ 1, or the engine is
 *   already loaded with another thread count (TensorFlow cannot change it afterwards)
 */
export async function loadEngine(options: LoadOptions = {}): Promise<Engine> {
  if (loaded) return withSameThreads(loaded, options);
  requireInstalledEngine();
  const threads = resolveThreads(options.threads, process.env);
  Object.assign(process.env, engineEnvironment(threads, process.env));
  polyfillUtil();
  loaded = await importTfjs(threads);
  return loaded;
}

/** @throws BertqaError for a count that is not a whole number ≥ 1 */
export function resolveThreads(
  option: number | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): number {
  const given = option ?? (environment["BERTQA_THREADS"] ? Number(environment["BERTQA_THREADS"]) : undefined);
  if (given === undefined) return availableParallelism();
  if (Number.isInteger(given) && given >= 1) return given;
  const name = option === undefined ? "BERTQA_THREADS" : "threads";
  const got = option ?? environment["BERTQA_THREADS"];
  throw new BertqaError("engine", `${name}: got ${got}, expected a whole number ≥ 1`, {
    remedy: `Set ${name} to a count of cores, or leave it out to use them all`,
  });
}

/**
 * What TensorFlow reads from the environment when it starts. A variable the user has set stays as it is, but for the
 * thread counts, which have their own option.
 */
export function engineEnvironment(
  threads: number,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const quiet = { TF_CPP_MIN_LOG_LEVEL: environment["TF_CPP_MIN_LOG_LEVEL"] ?? "2" };
  // Without it TensorFlow takes the whole of a GPU's memory at once.
  const growth = { TF_FORCE_GPU_ALLOW_GROWTH: environment["TF_FORCE_GPU_ALLOW_GROWTH"] ?? "true" };
  const hidden = environment["BERTQA_DEVICE"] === "cpu" ? { CUDA_VISIBLE_DEVICES: "-1" } : {};
  const count = String(threads);
  return { ...quiet, ...growth, ...hidden, TF_NUM_INTRAOP_THREADS: count, TF_NUM_INTEROP_THREADS: count };
}

function withSameThreads(engine: Engine, options: LoadOptions): Engine {
  if (options.threads === undefined || options.threads === engine.threads) return engine;
  throw new BertqaError(
    "engine",
    `threads: got ${options.threads}, but TensorFlow is already loaded with ${engine.threads} in this process`,
    { remedy: "Pass the thread count to the first loadEngine call" },
  );
}

async function importTfjs(threads: number): Promise<Engine> {
  const require = createRequire(import.meta.url);
  let tf: typeof Tfjs;
  try {
    tf = require("@tensorflow/tfjs-node-gpu") as typeof Tfjs;
  } catch (cause) {
    throw new BertqaError("engine", `TensorFlow did not load: ${(cause as Error).message.split("\n")[0]}`, {
      remedy: "Run `npx bertqa doctor`, which says what is missing",
      cause,
    });
  }
  await tf.ready();
  const { binding } = tf.backend() as unknown as { binding: NativeBinding };
  return { tf, binding, device: binding.isUsingGpuDevice() ? "gpu" : "cpu", threads };
}
