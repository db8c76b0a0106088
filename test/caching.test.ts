import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTraces, undeclaredReads } from "./support/declared-inputs.ts";
import { copyWorkspace, stages } from "./support/workspace-copy.ts";

/**
 * The caching table of README.md, held by running Nx on a tiny pipeline in a copy of this workspace. The tests build on
 * each other, in order: each makes one change and looks at which stages ran.
 */
const repository = join(import.meta.dirname, "..");
const workspace = mkdtempSync(join(tmpdir(), "bertqa-caching-"));
const traces = mkdtempSync(join(tmpdir(), "bertqa-traces-"));

/** Variables of the commands; the first run is traced. */
let variables: Readonly<Record<string, string>> = {};

/** Runs a command of this workspace; what it printed on stdout. */
function npx(...args: readonly string[]): string {
  return execFileSync("npx", args, {
    cwd: workspace,
    encoding: "utf8",
    env: { ...process.env, NX_DAEMON: "false", NX_TUI: "false", FORCE_COLOR: "0", ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The tasks that Nx executed, as opposed to taking them from its cache: `tiny:fetch`. */
function tasksThatRun(...args: readonly string[]): string[] {
  const output = npx("nx", ...args, "--outputStyle=static");
  const shown = [...output.matchAll(/nx run ([\w-]+:\w+)(?: {2}\[([^\]]*)\])?/g)];
  const ran = shown.filter(([, , fromCache]) => !fromCache).map(([, task]) => task as string);
  return [...new Set(ran)].filter((task) => task !== "engine:install");
}

/** Runs the pipeline; its stages that Nx executed. */
function stagesThatRun(): string[] {
  const ran = tasksThatRun("run", "tiny:export");
  return stages.filter((stage) => ran.includes(`tiny:${stage}`));
}

/** What a command that must fail printed. */
function captureFailure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
  throw new Error("the run was to fail, and did not");
}

function edit(file: string, change: (text: string) => string): void {
  const path = join(workspace, file);
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (after === before) throw new Error(`the test's change to ${file} changed nothing`);
  writeFileSync(path, after);
}

beforeAll(() => copyWorkspace(workspace));

afterAll(() => [workspace, traces].forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const slow = { timeout: 180_000 };

test("the first run runs every stage", slow, () => {
  const tracer = join(import.meta.dirname, "support", "trace.mjs");
  variables = { NODE_OPTIONS: `--import=${tracer}`, BERTQA_TRACE: traces };
  expect(stagesThatRun()).toEqual(stages);
  variables = {};
});

describe("what the first run read", () => {
  const nx = JSON.parse(readFileSync(join(repository, "nx.json"), "utf8"));
  // As bertqa-fetch-fingerprint lists them.
  const localSources = ["train-data.json", "dev-data.json", "encoder"];

  test.each(stages)("Nx was told of everything that %s read", (stage) => {
    const trace = readTraces(traces).get(stage);
    if (!trace) throw new Error("the stage left no trace");
    expect(trace.files).toContain(join(workspace, "pipelines", "tiny", `${stage}.json`));
    expect(undeclaredReads(trace, stage, { workspace, nx, localSources })).toEqual([]);
  });

  test("the check itself names a file, a variable and a program that Nx was not told of", () => {
    const files = [
      "pipelines/tiny/notes.txt",
      "artifacts/tiny/export/config.json",
      "packages/engine/native/kernels.cc",
    ];
    const trace = {
      files: [...files.map((file) => join(workspace, file)), "/etc/hostname"],
      variables: ["LUCK"],
      programs: ["curl"],
    };
    expect(undeclaredReads(trace, "evaluate", { workspace, nx, localSources })).toEqual([
      ...[...files, "/etc/hostname"].map((file) => `reads ${file}`),
      "reads the variable LUCK",
      "starts curl",
    ]);
  });
});

test("a second run, with nothing changed, runs nothing", slow, () => {
  expect(stagesThatRun()).toEqual([]);
});

test("an option of evaluate: evaluate, and export with its scores", slow, () => {
  edit("pipelines/tiny/evaluate.json", (text) => text.replace('"bootstrapSamples":50', '"bootstrapSamples":51'));
  expect(stagesThatRun()).toEqual(["evaluate", "export"]);
});

test("code of evaluate: evaluate alone", slow, () => {
  edit("packages/evaluate/src/stage.ts", (text) => `${text}\n// a change\n`);
  expect(stagesThatRun()).toEqual(["evaluate"]);
});

test("the learning rate: train and all after it", slow, () => {
  edit("pipelines/tiny/train.json", (text) => text.replace('"learningRate":0.001', '"learningRate":0.002'));
  expect(stagesThatRun()).toEqual(["train", "predict", "evaluate", "export"]);
});

test("a comment in tokenize, which leaves its bytes the same: tokenize alone", slow, () => {
  edit("packages/tokenize/src/stage.ts", (text) => `${text}\n// a comment\n`);
  expect(stagesThatRun()).toEqual(["tokenize"]);
});

test("one question of the training file: every stage", slow, () => {
  edit("pipelines/tiny/train-data.json", (text) =>
    text.replace("when did the baker move?", "where did the baker move?"),
  );
  expect(stagesThatRun()).toEqual(stages);
});

test("code that decides no byte, the runner's and the command line's: nothing", slow, () => {
  edit("packages/runner/src/run-stage.ts", (text) => `${text}\n// a comment\n`);
  edit("packages/cli/src/commands/stage.ts", (text) => `${text}\n// a comment\n`);
  expect(stagesThatRun()).toEqual([]);
});

test("a dev dependency and the README: nothing", slow, () => {
  edit("package.json", (text) => text.replace(/"prettier": "[^"]*"/, '"prettier": "^3.0.0"'));
  edit("package-lock.json", (text) => text.replace(/("node_modules\/prettier": \{\s*"version": ")[^"]*/, "$13.0.0"));
  edit("README.md", (text) => `${text}\nMore.\n`);
  expect(stagesThatRun()).toEqual([]);
});

/** Nx's hash of each stage as things are, without running any. */
function hashes(path: string = process.env["PATH"] ?? ""): Record<string, string> {
  const script = join(import.meta.dirname, "support", "task-hashes.mjs");
  const env = { ...process.env, NX_DAEMON: "false", PATH: path };
  return JSON.parse(execFileSync(process.execPath, [script], { cwd: workspace, encoding: "utf8", env }));
}

test(
  "what decides bytes beside sources and options changes the hash: Node's major version, manifests, the compiler, kernels",
  slow,
  () => {
    const before = hashes();
    const stagesOf = (now: Record<string, string>) => stages.filter((stage) => now[stage] !== before[stage]);
    // A node that says it is of another major version, and is otherwise the same.
    const bin = join(workspace, "other-node");
    mkdirSync(bin);
    const script = `#!/bin/sh\n[ "$1" = -p ] && exec echo 99\nexec '${process.execPath}' "$@"\n`;
    writeFileSync(join(bin, "node"), script, { mode: 0o755 });
    expect(stagesOf(hashes(`${bin}:${process.env["PATH"]}`))).toEqual(stages);

    // Nx hashes a package of npm by its integrity.
    const otherRelease = (name: string) => (text: string) =>
      text.replace(new RegExp(`("node_modules/${name}": \\{[^}]*?"integrity": "sha512-)..`), "$1xx");
    const edits: [string, (text: string) => string, readonly string[]][] = [
      ["packages/fetch/package.json", (text) => text.replace('"private"', '"note": "x",\n  "private"'), ["fetch"]],
      ["package-lock.json", otherRelease("esbuild"), stages],
      ["packages/engine/native/kernels.cc", (text) => `${text}\n// x\n`, ["train", "predict"]],
    ];
    for (const [file, change, expected] of edits) {
      const kept = readFileSync(join(workspace, file));
      edit(file, change);
      expect({ file, changes: stagesOf(hashes()) }).toEqual({ file, changes: expected });
      writeFileSync(join(workspace, file), kept);
    }
  },
);

test("a question of the sanity set, which lies beside the pipelines that name it: fetch", slow, () => {
  const options = readFileSync(join(workspace, "pipelines", "tiny", "fetch.json"), "utf8");
  const sanity = join("pipelines", "sanity", "sanity.json");
  mkdirSync(join(workspace, "pipelines", "sanity"));
  cpSync(join(workspace, "pipelines", "tiny", "dev-data.json"), join(workspace, sanity));
  edit("pipelines/tiny/fetch.json", (text) => {
    const { dataset, ...rest } = JSON.parse(text);
    return JSON.stringify({ dataset: { ...dataset, sanity: { sources: ["../sanity/sanity.json"] } }, ...rest });
  });
  const before = hashes();
  edit(sanity, (text) => text.replace("baker", "maker"));
  const now = hashes();
  expect(stages.filter((stage) => now[stage] !== before[stage])).toEqual(["fetch"]);
  writeFileSync(join(workspace, "pipelines", "tiny", "fetch.json"), options);
});

test("artifacts deleted: nothing runs, and they are restored", slow, () => {
  rmSync(join(workspace, "artifacts"), { recursive: true });
  expect(stagesThatRun()).toEqual([]);
  for (const stage of stages) {
    expect(existsSync(join(workspace, "artifacts", "tiny", stage, "manifest.json"))).toBe(true);
  }
});

test("a damaged cache entry heals: the stage that finds it drops it, and the next run makes it again", slow, () => {
  const dev = join("artifacts", "tiny", "fetch", "dev.json");
  const whole = readFileSync(join(workspace, dev));
  const cache = join(workspace, ".nx", "cache");
  for (const entry of readdirSync(cache)) {
    const cached = join(cache, entry, dev);
    if (existsSync(cached)) writeFileSync(cached, readFileSync(cached, "utf8").replace("baker", "maker"));
  }
  rmSync(join(workspace, "artifacts"), { recursive: true });
  edit("pipelines/tiny/tokenize.json", (text) => text.replace('"maxTokens":64', '"maxTokens":63'));
  const failure = captureFailure(stagesThatRun);
  expect(failure).toMatch(/fetch\/dev\.json has sha256 .*Run the fetch stage again/);
  expect(failure).toMatch(/dropped the damaged entry \d+ from Nx's cache/);
  expect(stagesThatRun()).toContain("fetch");
  expect(readFileSync(join(workspace, dev))).toEqual(whole);
});

const afterTokenize = ["train", "predict", "evaluate"];

test(
  "three seeds as cells: each trains, predicts and evaluates, and shares what was fetched and tokenized",
  slow,
  () => {
    stagesThatRun();
    const made = npx("bertqa", "new", "sweep", "--like", "tiny", "--set", "train.seed=1,2,3").trim().split("\n");
    expect(made).toEqual([1, 2, 3].map((seed) => `pipelines/sweep-seed-${seed}`));
    const cells = made.map((folder) => folder.slice("pipelines/".length));
    const expected = cells.flatMap((cell) => afterTokenize.map((stage) => `${cell}:${stage}`));
    expect(tasksThatRun("run-many", "-t", "evaluate", "-p", "sweep-*").sort()).toEqual(expected.sort());
    expect(stagesThatRun()).toEqual([]);
    expect(npx("bertqa", "compare", ...made)).toMatch(/\d ± \d+\.\d\d \(3 runs\)/);
  },
);

test(
  "nx affected: a change in evaluate reaches every pipeline, one in the source its cells, one in the command line none",
  slow,
  () => {
    const affected = (file: string) => {
      const names = npx("nx", "show", "projects", "--affected", `--files=${file}`).trim().split("\n");
      return names.filter((name) => name === "tiny" || name.startsWith("sweep-")).sort();
    };
    const cells = [1, 2, 3].map((seed) => `sweep-seed-${seed}`);
    expect(affected("packages/evaluate/src/stage.ts")).toEqual([...cells, "tiny"]);
    expect(affected("pipelines/tiny/tokenize.json")).toEqual([...cells, "tiny"]);
    expect(affected("pipelines/sweep-seed-2/train.json")).toEqual(["sweep-seed-2"]);
    expect(affected("packages/cli/src/print.ts")).toEqual([]);
  },
);

test("one cell more: that cell alone; one removed: nothing", slow, () => {
  npx("bertqa", "new", "sweep-seed-4", "--like", "sweep-seed-1", "--set", "evaluate.bootstrapSamples=52");
  rmSync(join(workspace, "pipelines", "sweep-seed-3"), { recursive: true });
  expect(tasksThatRun("run-many", "-t", "evaluate", "-p", "sweep-*")).toEqual(["sweep-seed-4:evaluate"]);
});

test("an option of the source's tokenize: its tokenize, and train of the cell", slow, () => {
  edit("pipelines/tiny/tokenize.json", (text) => text.replace('"maxTokens":63', '"maxTokens":62'));
  const expected = ["tiny:tokenize", ...afterTokenize.map((stage) => `sweep-seed-2:${stage}`)];
  expect(tasksThatRun("run", "sweep-seed-2:evaluate")).toEqual(expected);
});

test(
  "an option that is saved while Nx runs is refused, and nothing is kept as the result of what was there before",
  slow,
  () => {
    const project = join("pipelines", "tiny", "project.json");
    const kept = readFileSync(join(workspace, project), "utf8");
    edit(project, (text) => {
      const { targets, ...rest } = JSON.parse(text);
      const meddle = { command: "touch pipelines/tiny/tokenize.json" };
      return JSON.stringify({ ...rest, targets: { ...targets, meddle, tokenize: { dependsOn: ["fetch", "meddle"] } } });
    });
    const failure = captureFailure(() => npx("nx", "run", "tiny:tokenize", "--outputStyle=static"));
    expect(failure).toMatch(/tokenize: a file was changed after Nx had started.*tiny\/tokenize\.json/);
    expect(tasksThatRun("run", "tiny:tokenize", "--excludeTaskDependencies")).toEqual(["tiny:tokenize"]);
    writeFileSync(join(workspace, project), kept);
  },
);
