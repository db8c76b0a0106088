import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentReporter } from "@bertqa/core";
import { ownMark } from "@bertqa/runner";
import { chooseLibrary } from "../../src/install/platform.ts";
import { replaceBinding } from "../../src/install/recipe.ts";
import { engineRecordFormat } from "../../src/locate.ts";

const program = fileURLToPath(new URL("../../bin/install.mjs", import.meta.url));

function install(environment: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [program], { encoding: "utf8", env: { ...process.env, ...environment } });
}

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "bertqa-install-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("what is installed is not installed again, and nothing is said", () => {
  expect(install()).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test("a missing compiler is found before the long download, in one line, and leaves nothing", () => {
  const { status, stdout, stderr } = install({ BERTQA_CACHE: folder, CXX: "/nowhere/g++" });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^engine: no C\+\+ compiler: tried \/nowhere\/g\+\+\..*\n$/);
  expect(readdirSync(join(folder, "engine"))).toEqual([]);
});

test("an index without the library is said in one line, and leaves nothing", () => {
  const emptyIndex = { PIP_CONFIG_FILE: "/dev/null", PIP_NO_INDEX: "1", PIP_FIND_LINKS: folder };
  const { status, stderr } = install({ BERTQA_CACHE: join(folder, "cache"), ...emptyIndex });
  expect(status).toBe(1);
  expect(stderr.trim().split("\n").at(-1)).toMatch(/^engine: pip's package index offers no tensorflow/);
  expect(readdirSync(join(folder, "cache", "engine"))).toEqual([]);
});

test.runIf(process.platform === "linux" && process.arch === "x64")(
  "a TensorFlow wheel with another sha256 than the pinned one is refused with both named, and nothing of it stays",
  () => {
    writeFileSync(join(folder, "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"), "not TensorFlow");
    const index = { PIP_CONFIG_FILE: "/dev/null", PIP_NO_INDEX: "1", PIP_FIND_LINKS: folder, BERTQA_DEVICE: "cpu" };
    const { status, stderr } = install({ BERTQA_CACHE: join(folder, "cache"), ...index });
    expect(status).toBe(1);
    const got = createHash("sha256").update("not TensorFlow").digest("hex");
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      new RegExp(
        `^engine: pip's package index gave tensorflow-cpu==2.21.0 with sha256 ${got}, expected [0-9a-f]{64}\\.`,
      ),
    );
    expect(readdirSync(join(folder, "cache", "engine"))).toEqual([]);
  },
);

test("an empty lock file, as a version before this left it after a power cut, holds nobody up", () => {
  mkdirSync(join(folder, "engine"));
  writeFileSync(join(folder, "engine", "install.lock"), "");
  const { status, stderr } = install({ BERTQA_CACHE: folder, CXX: "/nowhere/g++" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^engine: no C\+\+ compiler/);
});

test("what a killed install left behind goes, another machine's only when it is a day old; what runs stays", () => {
  const engine = join(folder, "engine");
  const twoDaysAgo = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000);
  const own = ownMark();
  const owners = {
    running: own,
    gone: { ...own, pid: 4_000_000 },
    "its id given away": { ...own, started: "1" },
    // Two containers with one volume have one host name and one process id where they were made so.
    "another container": { ...own, machine: `${own.machine.split(" ")[0]} pid:[1]` },
    "before the last start": { ...own, machine: "another" },
    "another host, long ago": { ...own, host: "elsewhere" },
  };
  for (const [name, owner] of Object.entries(owners)) {
    const partial = join(engine, `.partial-${name}`);
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, "owner.json"), JSON.stringify(owner));
    if (name.endsWith("long ago")) utimesSync(partial, twoDaysAgo, twoDaysAgo);
  }
  install({ BERTQA_CACHE: folder, CXX: "/nowhere/g++" });
  const kept = ["another container", "before the last start", "running"];
  expect(readdirSync(engine).toSorted()).toEqual(kept.map((name) => `.partial-${name}`));
});

test("of two installs at once, the slower one keeps what the faster has made: it may be in use", async () => {
  const binding = join(folder, "binding");
  const record = JSON.stringify({ format: engineRecordFormat, compiler: "g++ of the faster one" });
  const compiler = join(folder, "g++");
  // While this one compiles, the other one ends.
  const other = `mkdir -p ${binding} && cd ${binding} && touch tfjs_binding.node stderr_tap.node`;
  const script = `#!/bin/sh\nfor last in "$@"; do :; done\n[ "$1" = --version ] || touch "$last"\n${other} && echo '${record}' > engine.json\n`;
  writeFileSync(compiler, script, { mode: 0o755 });
  vi.stubEnv("CXX", compiler);
  try {
    const host = { platform: "linux", arch: "x64", glibc: "2.36", hasNvidiaDriver: false, wantedDevice: null };
    const partial = join(folder, "partial");
    const version = await replaceBinding(chooseLibrary(host), folder, binding, partial, silentReporter);
    expect(version).toBe("g++ of the faster one");
    expect(readdirSync(binding)).toContain("engine.json");
  } finally {
    vi.unstubAllEnvs();
  }
});

test("a cache that cannot be a folder is named, with the variable that moves it", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const { status, stderr } = install({ BERTQA_CACHE: file });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^engine: the cache folder is not a folder.*Set BERTQA_CACHE.*\(.*file\)\n$/);
});
