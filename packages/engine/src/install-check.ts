import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { BertqaError } from "@bertqa/core";
import { $ } from "zx";

/** What the check program prints, as one line of JSON. */
export interface CheckResult {
  readonly tensorflow: string;
  readonly device: "cpu" | "gpu";
  /** A 2 × 2 product, row by row. */
  readonly product: readonly number[];
}

/** [[1, 2], [3, 4]] times [[5, 6], [7, 8]] = [[5 + 14, 6 + 16], [15 + 28, 18 + 32]]. */
const expectedProduct = [19, 22, 43, 50];

/**
 * Multiplies two small matrices in a process of its own, which a broken library may take down.
 *
 * @returns the device that it ran on
 * @throws BertqaError if the library does not load, is of another version, or multiplies wrongly
 */
export async function checkEngine(tensorflowVersion: string): Promise<"cpu" | "gpu"> {
  const program = fileURLToPath(new URL("../bin/check.mjs", import.meta.url));
  const run = await $({ nothrow: true, quiet: true })`${process.execPath} ${program}`;
  if (run.exitCode !== 0) throw explainCheckFailure(run.stderr, signalOf(run.exitCode, run.signal));
  const result = JSON.parse(run.stdout) as CheckResult;
  const problem = describeWrongResult(result, tensorflowVersion);
  if (problem) throw new BertqaError("engine", problem, { remedy: reinstallRemedy });
  return result.device;
}

const reinstallRemedy = "Delete the engine folder in the cache (`npx bertqa doctor` shows it) and install again";

/** What is wrong with a check's result, or undefined. */
export function describeWrongResult(result: CheckResult, tensorflowVersion: string): string | undefined {
  if (result.tensorflow !== tensorflowVersion) {
    return `the binding loaded TensorFlow ${result.tensorflow}, expected ${tensorflowVersion}`;
  }
  if (String(result.product) === String(expectedProduct)) return undefined;
  return `TensorFlow multiplies wrongly: got ${result.product.join(", ")}, expected ${expectedProduct.join(", ")}`;
}

/** The signal that ended a program; a shell between us and the program reports it as 128 + its number. */
function signalOf(exitCode: number | null, signal: string | null): string | null {
  const numbers = Object.entries(constants.signals);
  return signal ?? numbers.find(([, number]) => number + 128 === exitCode)?.[0] ?? null;
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
  const line = oldLibrary ?? output.split("\n").find((text) => /Error|error|cannot/.test(text)) ?? "it said nothing";
  return new BertqaError("engine", `TensorFlow does not load${signal ? ` (${signal})` : ""}: ${line.trim()}`, {
    remedy: oldLibrary ? "Use a newer Linux, with that version of the C or C++ library" : reinstallRemedy,
    cause,
  });
}
