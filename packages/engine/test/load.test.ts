import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { loadEngine } from "../src/index.ts";
import { engineEnvironment, engineIdentity, polyfillUtil, threadsFrom } from "../src/load.ts";

const run = promisify(execFile);
const index = new URL("../src/index.ts", import.meta.url).href;

/** Runs a module of TypeScript in a process of its own. */
function runModule(source: string, environment: NodeJS.ProcessEnv = {}) {
  const programArguments = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", source];
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  return run(process.execPath, programArguments, { cwd, env: { ...process.env, ...environment } });
}

describe("a loaded engine", () => {
  test("multiplies two matrices through tfjs", async () => {
    const { tf } = await loadEngine();
    // [[1, 2, 3], [4, 5, 6]] times [[7], [8], [9]] = [[7 + 16 + 27], [28 + 40 + 54]]
    const product = tf.matMul(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]), tf.tensor2d([7, 8, 9], [3, 1]));
    expect(product.shape).toEqual([2, 1]);
    expect([...(await product.data())]).toEqual([50, 122]);
  });

  test("is the same for every caller", async () => {
    expect(await loadEngine()).toBe(await loadEngine());
  });

  test("prints nothing of its own", async () => {
    const { stdout, stderr } = await runModule(
      `import { loadEngine } from "${index}"; const { binding } = await loadEngine(); console.log(binding.TF_Version);`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: "2.21.0\n", stderr: "" });
  });
});

test("without an installed library the error names the command that installs it", async () => {
  const emptyCache = mkdtempSync(join(tmpdir(), "bertqa-empty-"));
  try {
    const { stdout } = await runModule(
      `import { loadEngine } from "${index}"; await loadEngine().catch((error) => console.log(error.name, error.message));`,
      { BERTQA_CACHE: emptyCache },
    );
    expect(stdout).toMatch(/^BertqaError engine: TensorFlow is not installed.*Run `npx nx run engine:install`\.\n$/);
  } finally {
    rmSync(emptyCache, { recursive: true });
  }
});

test("kernels that were cut short are named, and how to have them again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bertqa-kernels-"));
  try {
    const kernels = join(folder, "kernels.node");
    writeFileSync(kernels, "");
    const load = new URL("../src/load.ts", import.meta.url).href;
    const { stdout } = await runModule(
      `import { openEngine } from "${load}"; await openEngine({ threads: 1, stderrTap: undefined, kernels: ${JSON.stringify(kernels)} })
        .catch((error) => console.log(error.name, error.message));`,
    );
    expect(stdout).toBe(
      `BertqaError engine: its kernels do not load: ${kernels}: file too short. Delete ${kernels} and run \`npx nx run engine:install\`.\n`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("what an engine computes by", () => {
  const binding = { TF_Version: "2.21.0" };
  const engine = { device: "cpu", threads: 2, fusedKernels: true, binding } as const;
  const environment = { TF_ENABLE_ONEDNN_OPTS: "1", TF_XLA_FLAGS: "--tf_xla_persistent_cache_directory=/a" };

  test.each<[string, object, object]>([
    ["the device", { device: "gpu" }, {}],
    ["the number of threads", { threads: 1 }, {}],
    ["kernels of our own", { fusedKernels: false }, {}],
    ["the version of TensorFlow", { binding: { TF_Version: "2.22.0" } }, {}],
    ["TF_ENABLE_ONEDNN_OPTS", {}, { TF_ENABLE_ONEDNN_OPTS: "0" }],
    ["TF_XLA_FLAGS", {}, { TF_XLA_FLAGS: "--tf_xla_auto_jit=2 --tf_xla_persistent_cache_directory=/a" }],
    ["XLA_FLAGS", {}, { XLA_FLAGS: "--xla_cpu_enable_fast_math=true" }],
  ])("is another with %s", (_, changedEngine, changedEnvironment) => {
    const changed = engineIdentity({ ...engine, ...changedEngine }, { ...environment, ...changedEnvironment });
    expect(changed).not.toEqual(engineIdentity(engine, environment));
  });

  test("is the same wherever XLA keeps what it compiled", () => {
    const elsewhere = { ...environment, TF_XLA_FLAGS: undefined };
    expect(engineIdentity(engine, elsewhere)).toEqual(engineIdentity(engine, environment));
  });
});

test("what Node 23 removed from util is there again, and means the same", () => {
  const target: { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean } = {};
  polyfillUtil(target);
  expect([null, undefined, 0, "", false].map((value) => target.isNullOrUndefined?.(value))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([[], {}, "a"].map((value) => target.isArray?.(value))).toEqual([true, false, false]);
});

test("BERTQA_THREADS is the count of threads; else all cores count", () => {
  expect(threadsFrom({ BERTQA_THREADS: "5" })).toBe(5);
  expect(threadsFrom({ BERTQA_THREADS: "" })).toBe(availableParallelism());
});

test.each(["0", "-1", "1.5", "many"])("BERTQA_THREADS=%s is refused", (count) => {
  expect(() => threadsFrom({ BERTQA_THREADS: count })).toThrow(
    `BERTQA_THREADS: got ${count}, expected a whole number ≥ 1`,
  );
});

test("on two cores each half of a batch has one, and ops are not cut up", () => {
  for (const threads of [1, 2]) {
    expect(engineEnvironment(threads, {})).toMatchObject({
      TF_NUM_INTRAOP_THREADS: "1",
      TF_NUM_INTEROP_THREADS: String(threads),
    });
  }
});

test("TensorFlow is told to be quiet and to leave room on the GPU, unless the user says otherwise", () => {
  expect(engineEnvironment(4, {}, "x64")).toEqual({
    TF_CPP_MIN_LOG_LEVEL: "3",
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
    TF_ENABLE_ONEDNN_OPTS: "1",
    TF_NUM_INTRAOP_THREADS: "4",
    TF_NUM_INTEROP_THREADS: "4",
  });
  expect(engineEnvironment(4, { TF_CPP_MIN_LOG_LEVEL: "0" })["TF_CPP_MIN_LOG_LEVEL"]).toBe("0");
  expect(engineEnvironment(4, { BERTQA_DEVICE: "cpu" })["CUDA_VISIBLE_DEVICES"]).toBe("-1");
});

test("oneDNN computes on x86-64, unless the user says otherwise", () => {
  expect(engineEnvironment(2, {}, "x64")["TF_ENABLE_ONEDNN_OPTS"]).toBe("1");
  expect(engineEnvironment(2, { TF_ENABLE_ONEDNN_OPTS: "0" }, "x64")["TF_ENABLE_ONEDNN_OPTS"]).toBe("0");
  expect(engineEnvironment(2, {}, "arm64")).not.toHaveProperty("TF_ENABLE_ONEDNN_OPTS");
});

test.runIf(process.arch === "x64")(
  "the switch is set before TensorFlow starts: it logs that oneDNN is on",
  async () => {
    const source = `import { loadEngine } from "${index}"; await loadEngine();`;
    const isOn = /oneDNN custom operations are on/;
    const environment = { TF_CPP_MIN_LOG_LEVEL: "0", TF_ENABLE_ONEDNN_OPTS: undefined };
    expect((await runModule(source, environment)).stderr).toMatch(isOn);
    expect((await runModule(source, { ...environment, TF_ENABLE_ONEDNN_OPTS: "0" })).stderr).not.toMatch(isOn);
  },
);
