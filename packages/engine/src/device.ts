import { execFile } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { promisify } from "node:util";
import type { Environment } from "@bertqa/runner/cache-folder";
import { processorFlags, type Device } from "./host.ts";
import { findInstalledEngine } from "./locate.ts";
import type { FloatType } from "./ops/dtypes.ts";

/** One GPU, as `nvidia-smi` describes it. */
export interface Gpu {
  readonly name: string;
  /** NVIDIA's generation number, e.g. 8.9; products in bfloat16 are fast from 8.0 on. */
  readonly computeCapability: number;
  readonly memoryMb: number;
}

/** What a run computes on, for the manifest of a model and for `bertqa doctor`. */
export interface DeviceReport {
  readonly node: string;
  /** Versions of what is installed; null before `engine:install` has run. */
  readonly tensorflow: string | null;
  readonly tfjs: string | null;
  readonly device: Device;
  readonly cpu: string;
  /** Empty where there is no NVIDIA driver. */
  readonly gpus: readonly Gpu[];
  /** Those of `notableInstructionSets` that the CPU has. */
  readonly instructionSets: readonly string[];
  /** Memory that this process may use, in bytes: the machine's, or its container's limit. */
  readonly memoryBytes: number;
  /** The faster type for the inputs of matrix products that loses no accuracy in training. */
  readonly recommendedPrecision: FloatType;
}

/** Linux's names of the instruction sets of x86-64 that decide how fast a matrix product is. */
export const notableInstructionSets = [
  ...["avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"],
] as const;

const run = promisify(execFile);

/** Describes the machine; loads no library, and works whether or not the engine is installed. */
export async function describeDevice(environment: Environment = process.env): Promise<DeviceReport> {
  const installed = findInstalledEngine(environment);
  const record = "record" in installed ? installed.record : undefined;
  const device = environment["BERTQA_DEVICE"] === "cpu" ? "cpu" : (record?.device ?? "cpu");
  const flags = new Set(processorFlags());
  const instructionSets = notableInstructionSets.filter((name) => flags.has(name));
  const gpus = await readGpus();
  return {
    node: process.versions.node,
    tensorflow: record?.tensorflow ?? null,
    tfjs: record?.tfjs ?? null,
    device,
    cpu: cpus()[0]?.model.trim() || process.arch,
    gpus,
    instructionSets,
    memoryBytes: usableMemoryBytes(),
    recommendedPrecision: recommendPrecision(device, instructionSets, gpus),
  };
}

/**
 * bfloat16 where the hardware multiplies it natively: measured at twice the speed of float32 with avx512_bf16. TensorFlow
 * computes on the first GPU.
 */
export function recommendPrecision(
  device: Device,
  instructionSets: readonly string[],
  gpus: readonly Gpu[],
): FloatType {
  const isNative =
    device === "gpu"
      ? (gpus[0]?.computeCapability ?? 0) >= 8
      : instructionSets.includes("avx512_bf16") || instructionSets.includes("amx_bf16");
  return isNative ? "bfloat16" : "float32";
}

async function readGpus(): Promise<Gpu[]> {
  const output = await outputOf("nvidia-smi", [
    "--query-gpu=name,compute_cap,memory.total",
    "--format=csv,noheader,nounits",
  ]);
  return output === undefined ? [] : parseGpus(output);
}

/** @param csv rows of name, compute capability, memory in MB, as `nvidia-smi` prints them */
export function parseGpus(csv: string): Gpu[] {
  const rows = csv.split("\n").filter((row) => row.trim() !== "");
  return rows.map((row) => {
    const [name, capability, memory] = row.split(",").map((cell) => cell.trim());
    return { name: name ?? "", computeCapability: Number(capability), memoryMb: Number(memory) };
  });
}

/** What a program prints, or undefined where it is not there or fails. */
async function outputOf(program: string, programArguments: readonly string[]): Promise<string | undefined> {
  try {
    return (await run(program, programArguments)).stdout;
  } catch {
    return undefined;
  }
}

function usableMemoryBytes(): number {
  // 0, or more than the machine has, where no limit is set.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
