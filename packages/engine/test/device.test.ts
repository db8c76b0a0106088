import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeDevice, parseGpus, recommendPrecision } from "../src/device.ts";
import { bytesOf, checkNode, deviceFindings } from "../src/doctor.ts";
import { processorFlagsIn } from "../src/host.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";

const h100 = { name: "NVIDIA H100 80GB HBM3", computeCapability: 9, memoryMb: 81559 };
const t4 = { name: "Tesla T4", computeCapability: 7.5, memoryMb: 15360 };

test("a processor's flags are read from the first processor's line", () => {
  const cpuinfo = "processor\t: 0\nmodel name\t: X\nflags\t\t: fpu avx2  avx512f\nbugs\t: none\nflags: other\n";
  expect(processorFlagsIn(cpuinfo)).toEqual(["fpu", "avx2", "avx512f"]);
  expect(processorFlagsIn("processor: 0\nFeatures\t: fp asimd bf16\n")).toEqual(["fp", "asimd", "bf16"]);
  expect(processorFlagsIn("processor: 0\n")).toEqual([]);
});

test("nvidia-smi's rows become GPUs", () => {
  expect(parseGpus("NVIDIA H100 80GB HBM3, 9.0, 81559\nTesla T4, 7.5, 15360\n")).toEqual([h100, t4]);
  expect(parseGpus("")).toEqual([]);
});

test.each([
  ["cpu", ["avx2", "avx512f"], [], "float32"],
  ["cpu", ["avx2", "avx512f", "avx512_bf16"], [], "bfloat16"],
  ["cpu", ["amx_bf16"], [], "bfloat16"],
  ["gpu", [], [h100], "bfloat16"],
  ["gpu", ["avx512_bf16"], [t4], "float32"],
  ["cpu", [], [h100], "float32"],
] as const)("on the %s with %j and %j products run in %s", (device, sets, gpus, precision) => {
  expect(recommendPrecision(device, sets, gpus)).toBe(precision);
});

test("this machine is described in numbers that make sense", async () => {
  const report = await describeDevice();
  expect(report).toMatchObject({ node: process.versions.node, tensorflow: "2.21.0", tfjs: "4.22.0" });
  expect(report.memoryBytes).toBeGreaterThan(1e8);
  expect(report.cpu).not.toBe("");
});

test("the doctor notes a GPU that lies idle", async () => {
  const report = await describeDevice();
  const [device] = deviceFindings({ ...report, device: "cpu", gpus: [t4] });
  expect(device).toMatchObject({ status: "note", remedy: expect.stringContaining("Tesla T4") as string });
});

test.runIf(process.arch === "x64")("the doctor names the instruction sets that a processor has and lacks", async () => {
  const report = await describeDevice();
  const sets = deviceFindings({ ...report, instructionSets: ["avx2", "avx512f"] });
  expect(sets.find(({ name }) => name === "Instruction sets")?.found).toBe(
    "avx2, avx512f; without avx_vnni, avx512_vnni, avx512_bf16, amx_int8, amx_bf16",
  );
});

test("what was removed while the cache is measured has no bytes", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "kept"));
  await writeFile(join(folder, "kept", "three"), "abc");
  expect(await bytesOf(join(folder, "gone"))).toBe(0);
  expect(await bytesOf(folder)).toBe(3);
});

test("the doctor refuses a Node that is too old", () => {
  expect(checkNode("20.18.3")).toMatchObject({ status: "missing", remedy: expect.stringContaining("20.19") as string });
  expect(checkNode("24.0.0").status).toBe("ok");
});
