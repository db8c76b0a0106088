import { fileURLToPath } from "node:url";
import { BertqaError } from "@bertqa/core";
import { runProgram } from "@bertqa/runner/program";
import type { Device } from "../host.ts";
import { openEngine } from "../load.ts";

/** What the self-test prints, as one line of JSON. */
export interface SelfTestResult {
  readonly tensorflow: string;
  readonly device: Device;
  /** A 2 × 2 product, row by row. */
  readonly product: readonly number[];
}

/** [[1, 2], [3, 4]] times [[5, 6], [7, 8]] = [[5 + 14, 6 + 16], [15 + 28, 18 + 32]]. */
const expectedProduct = [19, 22, 43, 50];

/** The program of `bin/check.mjs`. */
export async function runSelfTest(): Promise<void> {
  const { tf, binding, device } = await openEngine({ threads: 1, stderrTap: undefined });
  const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
  const result: SelfTestResult = { tensorflow: binding.TF_Version, device, product: [...(await product.data())] };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/**
 * Multiplies two small matrices in a process of its own, which a broken library may crash.
 *
 * @returns the device that it ran on
 * @throws BertqaError if the library does not load, is of another version, or multiplies wrongly
 */
export async function checkEngine(tensorflowVersion: string): Promise<Device> {
  const program = fileURLToPath(new URL("../../bin/check.mjs", import.meta.url));
  const { exitCode, signal, stdout, stderr } = await runProgram(process.execPath, [program]);
  if (exitCode !== 0) throw explainCheckFailure(stderr, signal);
  const result = JSON.parse(stdout) as SelfTestResult;
  const problem = describeWrongResult(result, tensorflowVersion);
  if (problem) throw new BertqaError("engine", problem, { remedy: reinstallRemedy });
  return result.device;
}

const reinstallRemedy = "Delete the engine folder in the cache (`npx bertqa doctor` shows it) and install again";

/** What is wrong with a self-test's result, or undefined. */
export function describeWrongResult(result: SelfTestResult, tensorflowVersion: string): string | undefined {
  if (result.tensorflow !== tensorflowVersion) {
    return `the binding loaded TensorFlow ${result.tensorflow}, expected ${tensorflowVersion}`;
  }
  if (String(result.product) === String(expectedProduct)) return undefined;
  return `TensorFlow multiplies wrongly: got ${result.product.join(", ")}, expected ${expectedProduct.join(", ")}`;
}

export function explainCheckFailure(output: string, signal: string | null): BertqaError {
  const cause = new Error(output);
  if (signal === "SIGILL") {
    return new BertqaError("engine", "this CPU lacks instructions that TensorFlow needs (AVX)", {
      remedy: "Use a machine with AVX (2011 or later); an emulator or an old virtual CPU type may hide it",
      cause,
    });
  }
  const oldLibrary = /version `(GLIBC|GLIBCXX|CXXABI)_[^']*' not found/.exec(output)?.[0];
  const line = oldLibrary ?? output.split("\n").find((text) => /Error|error|cannot/.test(text)) ?? "it gave no reason";
  return new BertqaError("engine", `TensorFlow does not load${signal ? ` (${signal})` : ""}: ${line.trim()}`, {
    remedy: oldLibrary ? "Use a newer Linux, with that version of the C or C++ library" : reinstallRemedy,
    cause,
  });
}
