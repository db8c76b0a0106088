import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { BertqaError } from "@bertqa/core";
import type * as Tfjs from "@tensorflow/tfjs-node-gpu";
import type { NativeBinding } from "./binding.ts";
import { polyfillUtil } from "./load-polyfill.ts";
import { compileCacheEnvironment } from "./ops/compile-cache.ts";
import { findInstalledEngine, installCommand, stderrTapFile, type Environment } from "./locate.ts";

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

let loaded: Promise<Engine> | undefined;

/**
 * Loads TensorFlow once a process; later calls return the same engine.
 *
 * @throws BertqaError if `engine:install` has not run, the thread count is not a whole number ≥ 1, or the engine is
 *   already loaded with another thread count (TensorFlow cannot change it afterwards)
 */
export async function loadEngine(options: LoadOptions = {}): Promise<Engine> {
  if (loaded) return withSameThreads(await loaded, options);
  const installed = findInstalledEngine();
  if ("missing" in installed) {
    throw new BertqaError("engine", `TensorFlow is not installed: ${installed.missing}`, {
      remedy: `Run \`${installCommand}\``,
    });
  }
  const threads = resolveThreads(options.threads, process.env);
  const isVerbose = process.env["TF_CPP_MIN_LOG_LEVEL"] === "0";
  Object.assign(process.env, compileCacheEnvironment(process.env, installed.record.tensorflow));
  loaded = openEngine({ threads, stderrTap: isVerbose ? undefined : join(installed.folder, stderrTapFile) });
  return await loaded;
}

/** @throws BertqaError for a count that is not a whole number ≥ 1 */
export function resolveThreads(option: number | undefined, environment: Environment): number {
  const variable = environment["BERTQA_THREADS"] || undefined;
  if (option === undefined && variable === undefined) return availableParallelism();
  const threads = option ?? Number(variable);
  if (Number.isInteger(threads) && threads >= 1) return threads;
  const name = option === undefined ? "BERTQA_THREADS" : "threads";
  throw new BertqaError("engine", `${name}: got ${option ?? variable}, expected a whole number ≥ 1`, {
    remedy: `Set ${name} to a count of cores, or leave it out to use them all`,
  });
}

/** What TensorFlow reads from the environment as it starts. What the user has set stays, but for the thread counts. */
export function engineEnvironment(
  threads: number,
  environment: Environment,
  architecture: string = process.arch,
): Record<string, string> {
  // Two halves of a batch run side by side (see @bertqa/model). Where that already keeps every core busy, an op that is
  // also cut up would wait for its other piece: 10 % slower on two cores.
  const opThreads = threads <= 2 ? 1 : threads;
  return {
    // Above its errors: XLA logs one for each program it finds in its cache, and real ones are thrown.
    TF_CPP_MIN_LOG_LEVEL: environment["TF_CPP_MIN_LOG_LEVEL"] ?? "3",
    // Without it TensorFlow takes the whole of a GPU's memory at once.
    TF_FORCE_GPU_ALLOW_GROWTH: environment["TF_FORCE_GPU_ALLOW_GROWTH"] ?? "true",
    ...(environment["BERTQA_DEVICE"] === "cpu" ? { CUDA_VISIBLE_DEVICES: "-1" } : {}),
    // By itself TensorFlow takes oneDNN only on x86-64 with AVX512_VNNI, AVX512_BF16 or AMX; with AVX2 alone it trains a
    // quarter faster with it, in a tenth less memory. Not measured on arm64, where TensorFlow decides.
    ...(architecture === "x64" ? { TF_ENABLE_ONEDNN_OPTS: environment["TF_ENABLE_ONEDNN_OPTS"] || "1" } : {}),
    TF_NUM_INTRAOP_THREADS: String(opThreads),
    TF_NUM_INTEROP_THREADS: String(threads),
  };
}

function withSameThreads(engine: Engine, options: LoadOptions): Engine {
  if (options.threads === undefined || options.threads === engine.threads) return engine;
  throw new BertqaError(
    "engine",
    `threads: got ${options.threads}, but TensorFlow is already loaded with ${engine.threads} in this process`,
    { remedy: "Pass the thread count to the first loadEngine call" },
  );
}

/**
 * Loads whatever binding tfjs-node has, installed by us or not.
 *
 * @param options.stderrTap path of the addon that keeps TensorFlow's start-up chatter off the terminal; without it the
 *   chatter goes to stderr
 */
export async function openEngine(options: { threads: number; stderrTap: string | undefined }): Promise<Engine> {
  const { threads, stderrTap } = options;
  Object.assign(process.env, engineEnvironment(threads, process.env));
  polyfillUtil();
  const require = createRequire(import.meta.url);
  const tap = stderrTap === undefined ? undefined : (require(stderrTap) as { hold(): void; release(): string });
  tap?.hold();
  let tf: typeof Tfjs;
  try {
    tf = require("@tensorflow/tfjs-node-gpu") as typeof Tfjs;
    tap?.release();
  } catch (error) {
    const chatter = tap?.release() ?? "";
    const [problem] = (error as Error).message.split("\n");
    throw new BertqaError("engine", `TensorFlow does not load: ${problem}`, {
      remedy: "Run `npx bertqa doctor`, which says what is missing",
      cause: chatter ? new Error(chatter, { cause: error }) : error,
    });
  }
  await tf.ready();
  const { binding } = tf.backend() as unknown as { binding: NativeBinding };
  return { tf, binding, device: binding.isUsingGpuDevice() ? "gpu" : "cpu", threads };
}
