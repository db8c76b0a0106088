import { describe, expect, test } from "vitest";
import { choosePython, probePython, pythonCandidates, type PythonProbe } from "../src/install-python.ts";

function probe(command: string, version?: string, more: Partial<PythonProbe> = {}): PythonProbe {
  return { command, version, pip: undefined, canBundlePip: false, ...more };
}

test("BERTQA_PYTHON is the only candidate where it is set", () => {
  expect(pythonCandidates({ BERTQA_PYTHON: "/opt/python" })).toEqual(["/opt/python"]);
  expect(pythonCandidates({}).slice(0, 2)).toEqual(["python3", "python"]);
});

describe("which Python fetches the library", () => {
  test("the first that is new enough and has pip", () => {
    const old = probe("python3", "3.8.10", { pip: "20.0" });
    const bare = probe("python", "3.13.1", { canBundlePip: true });
    const good = probe("python3.12", "3.12.3", { pip: "24.0" });
    expect(choosePython([old, bare, good])).toBe(good);
  });

  test("or else one that brings pip along", () => {
    const bundles = probe("python", "3.13.1", { canBundlePip: true });
    expect(choosePython([probe("python3"), bundles])).toBe(bundles);
  });

  test.each([
    [
      "no Python at all",
      [probe("python3"), probe("python")],
      /no Python 3\.9 or later.*tried python3, python\. .*apt install python3 python3-pip/,
    ],
    ["only an old one", [probe("python3", "3.6.8", { pip: "9.0" })], /found python3 3\.6\.8/],
    ["one without pip", [probe("python3", "3.11.2")], /python3 3\.11\.2 has no pip.*apt install python3-pip/],
  ])("%s: says what is missing and how to get it", (_name, probes, message) => {
    expect(() => choosePython(probes, "linux")).toThrow(message);
  });

  test("a Mac is not told to use apt", () => {
    expect(() => choosePython([probe("python3")], "darwin")).toThrow(/brew install python/);
  });
});

test("a command that does not exist is a Python without a version, not a crash", async () => {
  expect(await probePython("/nowhere/python")).toEqual(probe("/nowhere/python"));
});
