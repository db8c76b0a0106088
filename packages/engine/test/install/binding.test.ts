import { describe, expect, test } from "vitest";
import { buildSteps, explainCompilerFailure, findCompiler } from "../../src/install/binding.ts";
import { describeWrongResult, explainCheckFailure } from "../../src/install/check.ts";
import { chooseLibrary } from "../../src/install/platform.ts";

const host = { platform: "linux", arch: "x64", glibc: "2.36", hasNvidiaDriver: false, wantedDevice: null };
const folders = { library: "/lib", tfjs: "/tfjs", nodeHeaders: "/node", native: "/native", output: "/out" };

describe("the compiler's command lines", () => {
  test("compile tfjs-node's two sources and our own, against the headers in the library", () => {
    const { compile } = buildSteps(chooseLibrary(host), "linux", folders);
    const sources = compile.map((line) => line.at(line.indexOf("-c") + 1)).slice(0, 3);
    expect(sources).toEqual([
      "/tfjs/binding/tfjs_backend.cc",
      "/tfjs/binding/tfjs_binding.cc",
      "/native/stderr_tap.cc",
    ]);
    expect(compile[0]).toEqual(expect.arrayContaining(["-I", "/node", "/lib/tensorflow/include"]));
  });

  test("on Linux link by name alone, and find the library beside the addon", () => {
    const { compile, link } = buildSteps(chooseLibrary(host), "linux", folders);
    expect(compile.flat()).toContain("-Wl,-soname,libtensorflow_cc.so.2");
    expect(link[0]).toEqual(
      expect.arrayContaining(["-shared", "/out/libtensorflow_cc.so.2", "-Wl,-rpath,$ORIGIN/../tensorflow"]),
    );
  });

  test("on a Mac link against the library itself", () => {
    const mac = { ...host, platform: "darwin", arch: "arm64", glibc: null };
    const { compile, link } = buildSteps(chooseLibrary(mac), "darwin", folders);
    expect(compile).toHaveLength(3);
    expect(link[0]).toEqual(
      expect.arrayContaining([
        "-bundle",
        "/lib/tensorflow/libtensorflow_cc.2.dylib",
        "-Wl,-rpath,@loader_path/../tensorflow",
      ]),
    );
  });
});

describe("what can go wrong, in one line each", () => {
  test("no compiler", async () => {
    await expect(findCompiler({ CXX: "/nowhere/g++" }, "linux")).rejects.toThrow(
      /tried \/nowhere\/g\+\+\. .*apt install g\+\+/,
    );
    await expect(findCompiler({ CXX: "/nowhere/g++" }, "darwin")).rejects.toThrow(/xcode-select --install/);
  });

  test("a compiler that refuses", () => {
    const output =
      "In file included from a.cc:1:\na.cc:3:10: fatal error: absl.h: No such file\ncompilation terminated.";
    const error = explainCompilerFailure({ command: "g++", version: "g++ 4.8" }, output);
    expect(error.message).toMatch(/^engine: g\+\+ 4\.8 did not compile.*fatal error: absl\.h.*C\+\+17/);
  });

  test("a library that was taken down by a missing instruction", () => {
    expect(explainCheckFailure("", "SIGILL").message).toMatch(/lacks instructions.*AVX/);
  });

  test("a C++ library that is too old", () => {
    const output = "Error: /lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by libtensorflow_cc.so.2)";
    expect(explainCheckFailure(output, null).message).toMatch(/version `GLIBCXX_3\.4\.29' not found.*newer Linux/);
  });

  test("a wrong product or version is named; the right one passes", () => {
    const right = { tensorflow: "2.21.0", device: "cpu" as const, product: [19, 22, 43, 50] };
    expect(describeWrongResult(right, "2.21.0")).toBeUndefined();
    expect(describeWrongResult({ ...right, product: [19, 22, 43, 51] }, "2.21.0")).toMatch(
      /got 19, 22, 43, 51, expected/,
    );
    expect(describeWrongResult({ ...right, tensorflow: "2.9.1" }, "2.21.0")).toMatch(/loaded TensorFlow 2\.9\.1/);
  });
});
