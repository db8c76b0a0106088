import { describe, expect, test } from "vitest";
import type { Host } from "../../src/host.ts";
import { chooseLibrary } from "../../src/install/platform.ts";

const linuxPc: Host = { platform: "linux", arch: "x64", glibc: "2.36", hasNvidiaDriver: false, wantedDevice: null };
const linuxArm: Host = { ...linuxPc, arch: "arm64" };
const mac: Host = { ...linuxPc, platform: "darwin", arch: "arm64", glibc: null };

describe("which TensorFlow a machine gets", () => {
  test.each([
    ["Linux on x86-64", linuxPc, "tensorflow-cpu", "cpu", "manylinux_2_27_x86_64"],
    [
      "the same with an NVIDIA driver",
      { ...linuxPc, hasNvidiaDriver: true },
      "tensorflow",
      "gpu",
      "manylinux_2_27_x86_64",
    ],
    [
      "a driver, but BERTQA_DEVICE=cpu",
      { ...linuxPc, hasNvidiaDriver: true, wantedDevice: "cpu" },
      "tensorflow-cpu",
      "cpu",
      "manylinux_2_27_x86_64",
    ],
    [
      "no driver, but BERTQA_DEVICE=gpu",
      { ...linuxPc, wantedDevice: "gpu" },
      "tensorflow",
      "gpu",
      "manylinux_2_27_x86_64",
    ],
    ["Linux on arm64, which has no tensorflow-cpu", linuxArm, "tensorflow", "cpu", "manylinux_2_27_aarch64"],
    [
      "Linux on arm64 with a driver: its wheel is for the CPU",
      { ...linuxArm, hasNvidiaDriver: true },
      "tensorflow",
      "cpu",
      "manylinux_2_27_aarch64",
    ],
    ["a Mac with Apple silicon", mac, "tensorflow", "cpu", "macosx_12_0_arm64"],
  ])("%s", (_name, host, project, variant, wheelPlatform) => {
    const { wheels, wheelTags, variant: chosen } = chooseLibrary(host);
    expect({ wheel: wheels[0]!.requirement, variant: chosen, platform: wheelTags.platforms[0] }).toEqual({
      wheel: `${project}==2.21.0`,
      variant,
      platform: wheelPlatform,
    });
  });

  test("the CPU and the GPU library have folders of their own in the cache", () => {
    const gpu = chooseLibrary({ ...linuxPc, hasNvidiaDriver: true });
    expect([chooseLibrary(linuxPc).key, gpu.key]).toEqual([
      "tensorflow-cpu-2.21.0-linux-x64",
      "tensorflow-gpu-2.21.0-linux-x64",
    ]);
  });

  test("a Mac's libraries are named the Mac's way", () => {
    expect(chooseLibrary(mac).opsLibrary).toBe("libtensorflow_cc.2.dylib");
  });
});

test("every wheel is pinned by version and sha256, and CUDA's come with TensorFlow's for a GPU alone", () => {
  const counts = [linuxPc, linuxArm, mac, { ...linuxPc, hasNvidiaDriver: true }].map((host) => {
    const { wheels } = chooseLibrary(host);
    for (const { requirement, sha256 } of wheels) {
      expect(requirement).toMatch(/^[\w-]+==[\d.]+$/);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    return wheels.length;
  });
  // TensorFlow, and the twelve libraries of its extra and-cuda.
  expect(counts).toEqual([1, 1, 1, 13]);
});

describe("a machine that TensorFlow has no library for is told what to do", () => {
  test.each([
    ["Windows", { ...linuxPc, platform: "win32", glibc: null }, /on Windows.*WSL 2/],
    ["musl", { ...linuxPc, glibc: null }, /musl.*node:22-bookworm/],
    ["an old glibc", { ...linuxPc, glibc: "2.17" }, /glibc 2\.17.*2\.27 or later.*Debian 10/],
    ["a Mac with Intel", { ...mac, arch: "x64" }, /no library for darwin on x64.*Apple silicon/],
    ["another processor", { ...linuxPc, arch: "riscv64" }, /no library for linux on riscv64/],
    [
      "a device that is neither",
      { ...linuxPc, wantedDevice: "tpu" },
      /BERTQA_DEVICE: got "tpu", expected "cpu" or "gpu"/,
    ],
    ["a GPU on a Mac", { ...mac, wantedDevice: "gpu" }, /no GPU library for darwin.*Unset it/],
  ])("%s", (_name, host, message) => {
    expect(() => chooseLibrary(host)).toThrow(message);
  });
});
