import { BertqaError } from "@bertqa/core";
import type { Host } from "./install-host.ts";

export const tensorflowVersion = "2.21.0";

/** A TensorFlow wheel, and what is in it. */
export interface LibraryChoice {
  readonly project: "tensorflow" | "tensorflow-cpu";
  readonly version: string;
  readonly variant: "cpu" | "gpu";
  /** The platform tag of the wheel. Its Python tag is always `wheelPython`: no Python runs it. */
  readonly wheelPlatform: string;
  /** File names inside the wheel's `tensorflow/`: ops and kernels; the runtime below them. */
  readonly opsLibrary: string;
  readonly frameworkLibrary: string;
  /** Name of its folder in the cache. */
  readonly key: string;
  /** Free disk space that fetching and unpacking needs, in gigabytes. */
  readonly diskGb: number;
}

/** The Python tag of the wheels: one that every supported platform has, whatever Python the user runs. */
export const wheelPython = { version: "3.11", abi: "cp311" } as const;

const wheelPlatforms: Readonly<Record<string, string>> = {
  "linux-x64": "manylinux_2_27_x86_64",
  "linux-arm64": "manylinux_2_27_aarch64",
  "darwin-arm64": "macosx_12_0_arm64",
};
const oldestGlibc = "2.27";

/** @throws BertqaError where TensorFlow publishes no library that fits this machine, with what to do instead */
export function chooseLibrary(host: Host): LibraryChoice {
  const wheelPlatform = supportedWheelPlatform(host);
  const variant = chooseVariant(host);
  const extension = host.platform === "darwin" ? "2.dylib" : "so.2";
  // `tensorflow-cpu` is published for x86-64 alone; elsewhere `tensorflow` is itself a CPU library.
  const hasCpuProject = host.platform === "linux" && host.arch === "x64";
  return {
    project: variant === "cpu" && hasCpuProject ? "tensorflow-cpu" : "tensorflow",
    version: tensorflowVersion,
    variant,
    wheelPlatform,
    opsLibrary: `libtensorflow_cc.${extension}`,
    frameworkLibrary: `libtensorflow_framework.${extension}`,
    key: `tensorflow-${variant}-${tensorflowVersion}-${host.platform}-${host.arch}`,
    diskGb: variant === "gpu" ? 10 : 1.3,
  };
}

function supportedWheelPlatform({ platform, arch, glibc }: Host): string {
  const wheelPlatform = wheelPlatforms[`${platform}-${arch}`];
  if (platform === "win32") {
    throw new BertqaError("engine", "TensorFlow has no library for Node on Windows", {
      remedy: "Run the same commands inside WSL 2 (https://learn.microsoft.com/windows/wsl/install)",
    });
  }
  if (wheelPlatform === undefined) {
    throw new BertqaError("engine", `TensorFlow ${tensorflowVersion} has no library for ${platform} on ${arch}`, {
      remedy: "Use Linux on x86-64 or arm64, or a Mac with Apple silicon",
    });
  }
  if (platform === "linux" && glibc === null) {
    throw new BertqaError("engine", "this Linux uses musl as its C library, and TensorFlow needs glibc", {
      remedy: "Use an image with glibc, such as node:22-bookworm in place of node:22-alpine",
    });
  }
  if (platform === "linux" && glibc !== null && compareVersions(glibc, oldestGlibc) < 0) {
    throw new BertqaError("engine", `this Linux has glibc ${glibc}, and TensorFlow needs ${oldestGlibc} or later`, {
      remedy: "Use Debian 10, Ubuntu 18.04, RHEL 8 or anything later",
    });
  }
  return wheelPlatform;
}

function chooseVariant({ platform, arch, hasNvidiaDriver, wantedDevice }: Host): "cpu" | "gpu" {
  const canUseGpu = platform === "linux" && arch === "x64";
  if (wantedDevice === null) return canUseGpu && hasNvidiaDriver ? "gpu" : "cpu";
  if (wantedDevice !== "cpu" && wantedDevice !== "gpu") {
    throw new BertqaError("engine", `BERTQA_DEVICE: got "${wantedDevice}", expected "cpu" or "gpu"`, {
      remedy: "Unset it to let the driver decide",
    });
  }
  if (wantedDevice === "gpu" && !canUseGpu) {
    throw new BertqaError("engine", `BERTQA_DEVICE: TensorFlow has no GPU library for ${platform} on ${arch}`, {
      remedy: "Unset it, or use Linux on x86-64",
    });
  }
  return wantedDevice;
}

/** Compares dotted numbers: negative where `a` is the older, 0 where they are equal. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
