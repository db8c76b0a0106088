import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import util from "node:util";
import { BertqaError } from "@bertqa/core";
import type { Environment } from "@bertqa/runner/cache-folder";
import type * as Tfjs from "@tensorflow/tfjs-node-gpu";
import type { NativeBinding } from "./binding.ts";
import { compileCacheEnvironment } from "./compile-cache.ts";
import type { Device } from "./host.ts";
import { findInstalledEngine, installCommand, stderrTapFile } from "./locate.ts";

/** TensorFlow, ready to compute, in this process. */
export interface Engine {
  /** tfjs with the TensorFlow backend set. */
  readonly tf: typeof Tfjs;
  /** The native addon, for ops and dtypes that tfjs lacks. */
  readonly binding: NativeBinding;
  readonly device: Device;
  /** Threads that one op may use on the CPU. */
  readonly threads: number;
  /** The kernels of `ops/fused.ts` are there. */
  readonly fusedKernels: boolean;
}

let loaded: Promise<Engine> | undefined;

/**
 * Loads TensorFlow once a process; later calls return the same engine.
 *
 * @throws BertqaError if `engine:install` has not run, or `BERTQA_THREADS` is not a whole number ≥ 1
 */
export function loadEngine(): Promise<Engine> {
  loaded ??= loadInstalledEngine();
  return loaded;
}

async function loadInstalledEngine(): Promise<Engine> {
  const installed = findInstalledEngine();
  if ("missing" in installed) {
    throw new BertqaError("engine", `TensorFlow is not installed: ${installed.missing}`, {
      remedy: `Run \`${installCommand}\``,
    });
  }
  const isVerbose = process.env["TF_CPP_MIN_LOG_LEVEL"] === "0";
  Object.assign(process.env, compileCacheEnvironment(process.env, installed.record.tensorflow));
  return await openEngine({
    threads: threadsFrom(process.env),
    stderrTap: isVerbose ? undefined : join(installed.folder, stderrTapFile),
    kernels: installed.kernels,
  });
}

/** @returns `BERTQA_THREADS`, or else every core that the process may use. @throws BertqaError unless a whole number ≥ 1 */
export function threadsFrom(environment: Environment): number {
  const variable = environment["BERTQA_THREADS"];
  if (!variable) return availableParallelism();
  const threads = Number(variable);
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new BertqaError("engine", `BERTQA_THREADS: got ${variable}, expected a whole number ≥ 1`, {
    remedy: "Set BERTQA_THREADS to a count of cores, or leave it out to use them all",
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
    // Hide ERROR too: XLA logs a spurious one for each program that it finds in its cache; real errors are thrown.
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

/**
 * What decides the bytes that an engine computes on one machine: work begun under other values is other work. The code of
 * its kernels is the package's.
 */
export function engineIdentity(
  engine: Omit<Engine, "tf" | "binding"> & { readonly binding: Pick<NativeBinding, "TF_Version"> },
  environment: Environment = process.env,
): Record<string, unknown> {
  const { device, threads, fusedKernels, binding } = engine;
  // Where XLA keeps what it compiled decides nothing.
  const xla = environment["TF_XLA_FLAGS"]?.replace(/--tf_xla_persistent_cache_directory=\S*/, "").trim();
  return {
    ...{ device, threads, fusedKernels, tensorflow: binding.TF_Version },
    TF_ENABLE_ONEDNN_OPTS: environment["TF_ENABLE_ONEDNN_OPTS"],
    TF_XLA_FLAGS: xla || undefined,
    XLA_FLAGS: environment["XLA_FLAGS"],
  };
}

/**
 * The checks that tfjs-node 4.22 takes from `node:util`: Node 22 warns that they are deprecated, Node 23 removed them.
 */
const removedChecks = {
  isNullOrUndefined: (value: unknown): value is null | undefined => value === null || value === undefined,
  isArray: (value: unknown): value is unknown[] => Array.isArray(value),
};

/** Puts plain functions in the place of Node's deprecated or removed ones, which they equal. */
export function polyfillUtil(target: object = util): void {
  for (const [name, value] of Object.entries(removedChecks)) {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
  }
}

/**
 * Loads whatever binding tfjs-node has, installed by us or not.
 *
 * @param options.stderrTap path of the addon that keeps TensorFlow's start-up chatter off the terminal; without it the
 *   chatter goes to stderr
 * @param options.kernels path of the addon with the kernels of `ops/fused.ts`, if any
 */
export async function openEngine(options: {
  threads: number;
  stderrTap: string | undefined;
  kernels?: string | undefined;
}): Promise<Engine> {
  const { threads, stderrTap, kernels } = options;
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
  if (kernels) addKernels(require, kernels);
  const device = binding.isUsingGpuDevice() ? "gpu" : "cpu";
  return { tf, binding, device, threads, fusedKernels: kernels !== undefined };
}

/** Adds their ops to TensorFlow's registry. */
function addKernels(require: NodeJS.Require, path: string): void {
  try {
    require(path);
  } catch (cause) {
    throw new BertqaError("engine", `its kernels do not load: ${(cause as Error).message}`, {
      remedy: `Delete ${path} and run \`${installCommand}\``,
      cause,
    });
  }
}
