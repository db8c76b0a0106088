import { describe, expect, test } from "vitest";
import type { Host } from "../src/install-host.ts";
import { chooseLibrary, compareVersions } from "../src/install-platform.ts";

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
    expect(chooseLibrary(host)).toMatchObject({ project, variant, wheelPlatform, version: "2.21.0" });
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

test("versions compare number by number, not letter by letter", () => {
  // As text "3.10" sorts before "3.9".
  expect(compareVersions("3.10", "3.9")).toBeGreaterThan(0);
  expect(compareVersions("2.27", "2.27.0")).toBe(0);
  expect(compareVersions("20.18.3", "20.19")).toBeLessThan(0);
});
