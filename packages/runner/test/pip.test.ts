import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareVersions, explainPipFailure, Pip } from "../src/pip.ts";
import { runProgram } from "../src/program.ts";
import { choosePython, probePython, pythonCandidates, type PythonProbe } from "../src/python.ts";

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
      "no Python",
      [probe("python3"), probe("python")],
      "with pip: tried python3, python",
      "apt install python3 python3-pip",
    ],
    ["only an old one", [probe("python3", "3.6.8", { pip: "9.0" })], "found python3 3.6.8", "apt install python3"],
    ["one without pip", [probe("python3", "3.11.2")], "python3 3.11.2 has no pip", "apt install python3-pip"],
  ])("%s: says what is missing and how to get it", (_name, probes, problem, remedy) => {
    expect(() => choosePython(probes, "linux")).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(problem) as string,
        remedy: expect.stringContaining(remedy) as string,
      }) as Error,
    );
  });

  test("a Mac is not told to use apt", () => {
    expect(() => choosePython([probe("python3")], "darwin")).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining("brew install python") as string }) as Error,
    );
  });
});

test("a command that does not exist is a Python without a version, not a crash", async () => {
  expect(await probePython("/nowhere/python", {})).toEqual(probe("/nowhere/python"));
});

test("versions compare number by number, not letter by letter", () => {
  // As text "3.10" sorts before "3.9".
  expect(compareVersions("3.10", "3.9")).toBeGreaterThan(0);
  expect(compareVersions("2.27", "2.27")).toBe(0);
  expect(compareVersions("20.18.3", "20.19")).toBeLessThan(0);
});

describe("a wheel made here, in the only folder that pip may look at", () => {
  let root: string;
  let wheel: string;
  let environment: NodeJS.ProcessEnv;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "bertqa-pip-"));
    const content = join(root, "content");
    mkdirSync(join(content, "tiny", "bin"), { recursive: true });
    mkdirSync(join(content, "tiny-1.0.dist-info"));
    writeFileSync(join(content, "tiny", "data.txt"), "four");
    writeFileSync(join(content, "tiny", "bin", "tool"), "#!/bin/sh\n");
    chmodSync(join(content, "tiny", "data.txt"), 0o666);
    chmodSync(join(content, "tiny", "bin", "tool"), 0o4777);
    writeFileSync(join(content, "tiny-1.0.dist-info", "METADATA"), "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n");
    writeFileSync(join(content, "tiny-1.0.dist-info", "WHEEL"), "Wheel-Version: 1.0\nTag: py3-none-any\n");
    wheel = join(root, "tiny-1.0-py3-none-any.whl");
    const zip = ["-m", "zipfile", "-c", wheel, "tiny", "tiny-1.0.dist-info"];
    expect(await runProgram("python3", zip, { cwd: content })).toMatchObject({ exitCode: 0 });
    const index = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: root, PIP_CONFIG_FILE: "/dev/null", PIP_NO_CACHE_DIR: "1" };
    // Some people let pip run in virtual environments alone.
    environment = { ...process.env, ...index, HOME: root, PIP_REQUIRE_VIRTUALENV: "1" };
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function openPip(): Promise<Pip> {
    const folder = join(root, "work");
    mkdirSync(folder);
    return Pip.open(folder, environment);
  }

  test("is downloaded, listed and unpacked; nobody else may write what comes out, and no set-user-id bit stays", async () => {
    const pip = await openPip();
    const [path] = await pip.download([{ requirement: "tiny==1.0", sha256: sha256Of(wheel) }]);
    const members = (await pip.list(path!)).filter(({ member }) => member.startsWith("tiny/"));
    expect(members).toContainEqual({ member: "tiny/data.txt", bytes: 4 });
    await pip.unpack(path!, members.map((file) => ({ ...file, path: join(root, "out", file.member) }))); // prettier-ignore
    expect(readFileSync(join(root, "out", "tiny", "data.txt"), "utf8")).toBe("four");
    expect(statSync(join(root, "out", "tiny", "data.txt")).mode & 0o7022).toBe(0);
    expect(statSync(join(root, "out", "tiny", "bin", "tool")).mode & 0o7777).toBe(0o755);
  });

  test("is refused where its sha256 is not the pinned one, with both named", async () => {
    const pip = await openPip();
    const pinned = "0".repeat(64);
    await expect(pip.download([{ requirement: "tiny==1.0", sha256: pinned }])).rejects.toThrow(
      `pip's package index gave tiny==1.0 with sha256 ${sha256Of(wheel)}, expected ${pinned}`,
    );
  });

  test("does not have to be trusted with its sizes: a member longer than allowed stops", async () => {
    const pip = await openPip();
    const [path] = await pip.download([{ requirement: "tiny==1.0" }]);
    const file = { member: "tiny/data.txt", path: join(root, "out", "data"), bytes: 3 };
    await expect(pip.unpack(path!, [file])).rejects.toThrow("tiny/data.txt is longer than 3 bytes");
    await expect(pip.unpack(path!, [{ ...file, member: "tiny/none" }])).rejects.toThrow("the wheel holds no tiny/none");
  });

  test("comes without running a pip.py or zipfile.py of the folder that a user works in", async () => {
    const trap = join(root, "trap");
    mkdirSync(trap);
    for (const name of ["pip.py", "zipfile.py", "json.py"]) {
      writeFileSync(join(trap, name), `open(${JSON.stringify(join(root, "ran"))}, "w").close()`);
    }
    const module = new URL("../src/pip.ts", import.meta.url).href;
    const source = `import { Pip } from "${module}";
      const pip = await Pip.open(${JSON.stringify(root)});
      const [path] = await pip.download([{ requirement: "tiny==1.0" }]);
      console.log((await pip.list(path)).length);`;
    const node = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", source];
    const run = await runProgram(process.execPath, node, { cwd: trap, environment });
    expect(run).toMatchObject({ exitCode: 0, stdout: "4\n" });
    expect(existsSync(join(root, "ran"))).toBe(false);
  });
});

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe("what pip says becomes one sentence and a remedy", () => {
  // Said by pip 23.2, cut short.
  const unreachable =
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused')'\n" +
    "ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: none)";
  test.each([
    ["no network", unreachable, /cannot reach its package index/, /HTTPS_PROXY/],
    [
      "an index without it",
      unreachable.split("\n").at(-1) ?? "",
      /offers no tensorflow-cpu==2\.21\.0 for/,
      /pip config list/,
    ],
    ["a full disk", "OSError: [Errno 28] No space left on device", /disk is full/, /BERTQA_CACHE.*\/cache/],
    [
      "a traceback",
      "ERROR: Exception:\nTraceback:\n  x\nValueError: bad zip",
      /^ValueError: bad zip$/,
      /bertqa doctor/,
    ],
    ["nothing", "", /tensorflow-cpu==2\.21\.0 and did not say why/, /bertqa doctor/],
  ])("%s", (_name, output, message, remedy) => {
    const error = explainPipFailure(output, "tensorflow-cpu==2.21.0", "/cache");
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect(error.remedy).toMatch(remedy);
    expect((error.cause as Error).message).toBe(output);
  });
});
