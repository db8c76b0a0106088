import { BertqaError } from "@bertqa/core";
import { compareVersions, type Wheel, type WheelTags } from "@bertqa/runner/pip";
import type { Device, Host } from "../host.ts";

export const tensorflowVersion = "2.21.0";

/** The wheels of a TensorFlow library, and what is in them. */
export interface LibraryChoice {
  readonly version: string;
  readonly variant: Device;
  /** TensorFlow's own first; then those of CUDA, for a GPU. */
  readonly wheels: readonly Wheel[];
  readonly wheelTags: WheelTags;
  /** File names inside the wheel's `tensorflow/`: ops and kernels; the runtime below them. */
  readonly opsLibrary: string;
  readonly frameworkLibrary: string;
  /** Name of its folder in the cache. */
  readonly key: string;
  /** Free disk space that fetching and unpacking needs, in gigabytes. */
  readonly diskGb: number;
}

/** Platform tag and sha256 of TensorFlow's wheel: `tensorflow-cpu` on Linux x86-64, elsewhere `tensorflow`. */
const cpuWheels: Readonly<Record<string, { readonly platform: string; readonly sha256: string }>> = {
  "linux-x64": {
    platform: "manylinux_2_27_x86_64",
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  "linux-arm64": {
    platform: "manylinux_2_27_aarch64",
    sha256: "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
  },
  "darwin-arm64": {
    platform: "macosx_12_0_arm64",
    sha256: "51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88",
  },
};

/**
 * For Linux x86-64 with an NVIDIA driver: TensorFlow, and the CUDA 12.9 libraries that satisfy its `and-cuda` extra. To pin another
 * version: `pip install --dry-run --report - --only-binary=:all: --target x --python-version 3.11 --platform … 'tensorflow[and-cuda]==…'`.
 */
const gpuWheels: Readonly<Record<string, string>> = {
  "tensorflow==2.21.0": "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
  "nvidia-cublas-cu12==12.9.3.13": "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72",
  "nvidia-cuda-cupti-cu12==12.9.79": "096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f",
  "nvidia-cuda-nvcc-cu12==12.9.86": "5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0",
  "nvidia-cuda-nvrtc-cu12==12.9.86": "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
  "nvidia-cuda-runtime-cu12==12.9.79": "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
  "nvidia-cudnn-cu12==9.28.0.42": "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375",
  "nvidia-cufft-cu12==11.4.1.4": "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
  "nvidia-curand-cu12==10.3.10.19": "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e",
  "nvidia-cusolver-cu12==11.7.5.82": "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
  "nvidia-cusparse-cu12==12.5.10.65": "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
  "nvidia-nccl-cu12==2.32.3": "bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c",
  "nvidia-nvjitlink-cu12==12.9.86": "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
};

/** NVIDIA tags its wheels for several generations of Linux. */
const nvidiaPlatforms = [
  "manylinux_2_25_x86_64",
  "manylinux_2_17_x86_64",
  "manylinux2014_x86_64",
  "manylinux_2_12_x86_64",
];

const oldestGlibc = "2.27";

/** @throws BertqaError where TensorFlow publishes no library that fits this machine, with what to do instead */
export function chooseLibrary(host: Host): LibraryChoice {
  const cpuWheel = supportedWheel(host);
  const variant = chooseVariant(host);
  const extension = host.platform === "darwin" ? "2.dylib" : "so.2";
  // `tensorflow-cpu` is published for x86-64 alone; elsewhere `tensorflow` is itself a CPU library.
  const project = host.platform === "linux" && host.arch === "x64" ? "tensorflow-cpu" : "tensorflow";
  const wheels =
    variant === "gpu"
      ? Object.entries(gpuWheels).map(([requirement, sha256]) => ({ requirement, sha256 }))
      : [{ requirement: `${project}==${tensorflowVersion}`, sha256: cpuWheel.sha256 }];
  const platforms = variant === "gpu" ? [cpuWheel.platform, ...nvidiaPlatforms] : [cpuWheel.platform];
  return {
    version: tensorflowVersion,
    variant,
    wheels,
    // A Python tag that every supported platform has, whatever Python the user runs: no Python loads the library.
    wheelTags: { python: "3.11", abi: "cp311", platforms },
    opsLibrary: `libtensorflow_cc.${extension}`,
    frameworkLibrary: `libtensorflow_framework.${extension}`,
    key: `tensorflow-${variant}-${tensorflowVersion}-${host.platform}-${host.arch}`,
    diskGb: variant === "gpu" ? 10 : 1.3,
  };
}

function supportedWheel({ platform, arch, glibc }: Host) {
  const wheel = cpuWheels[`${platform}-${arch}`];
  if (platform === "win32") {
    throw new BertqaError("engine", "TensorFlow has no library for Node on Windows", {
      remedy: "Run the same commands inside WSL 2 (https://learn.microsoft.com/windows/wsl/install)",
    });
  }
  if (wheel === undefined) {
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
  return wheel;
}

function chooseVariant({ platform, arch, hasNvidiaDriver, wantedDevice }: Host): Device {
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
