import { describe, expect, test } from "vitest";
import { cudaRequirements, explainPipFailure, pipArguments } from "../src/install-library.ts";
import { chooseLibrary } from "../src/install-platform.ts";

const host = { platform: "linux", arch: "x64", glibc: "2.36", hasNvidiaDriver: false, wantedDevice: null };

/** The values that follow a repeated flag. */
function valuesOf(flag: string, commandLine: readonly string[]): string[] {
  return commandLine.filter((_, index) => commandLine[index - 1] === flag);
}

describe("the pip command", () => {
  test("takes one fixed wheel, whatever Python runs pip", () => {
    const commandLine = pipArguments(chooseLibrary(host), ["tensorflow-cpu==2.21.0"], "/wheels", false);
    expect(commandLine.slice(0, 3)).toEqual(["-m", "pip", "download"]);
    expect(valuesOf("--platform", commandLine)).toEqual(["manylinux_2_27_x86_64"]);
    expect(valuesOf("--abi", commandLine)).toEqual(["cp311"]);
    expect(valuesOf("--python-version", commandLine)).toEqual(["3.11"]);
    expect(commandLine).toEqual(expect.arrayContaining(["--no-deps", "--only-binary=:all:", "--quiet"]));
    expect(commandLine.at(-1)).toBe("tensorflow-cpu==2.21.0");
  });

  test("accepts NVIDIA's older platform tags for a GPU library", () => {
    const choice = chooseLibrary({ ...host, wantedDevice: "gpu" });
    expect(valuesOf("--platform", pipArguments(choice, ["nvidia-nccl-cu12"], "/wheels", true))).toContain(
      "manylinux2014_x86_64",
    );
  });
});

test("the CUDA libraries are those that the wheel asks for under and-cuda, and no others", () => {
  const metadata = [
    "Name: tensorflow",
    "Requires-Dist: numpy>=1.26.0",
    'Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
    'Requires-Dist: nvidia-nccl-cu12<3.0,>=2.27.7; extra == "and-cuda"',
    'Requires-Dist: tensorflow-io-gcs-filesystem>=0.23.1; (sys_platform != "win32") and extra == "gcs-filesystem"',
  ].join("\n");
  expect(cudaRequirements(metadata)).toEqual(["nvidia-cublas-cu12<13.0,>=12.5.3.2", "nvidia-nccl-cu12<3.0,>=2.27.7"]);
});

describe("what pip says becomes one sentence and a remedy", () => {
  // Said by pip 23.2, cut short.
  const unreachable =
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused')'\n" +
    "ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: none)";
  test.each([
    ["no network", unreachable, /cannot reach its package index.*HTTPS_PROXY/],
    [
      "an index without it",
      unreachable.split("\n").at(-1) ?? "",
      /offers no tensorflow-cpu==2\.21\.0.*pip config list/,
    ],
    ["a full disk", "OSError: [Errno 28] No space left on device", /no room on disk.*BERTQA_CACHE.*\(\/cache\)/],
    ["anything else", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", /DO NOT MATCH THE HASHES.*bertqa doctor/],
  ])("%s", (_name, output, message) => {
    const error = explainPipFailure(output, ["tensorflow-cpu==2.21.0"], "/cache");
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect((error.cause as Error).message).toBe(output);
  });
});
