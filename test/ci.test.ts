import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyWorkspace } from "./support/workspace-copy.ts";

/**
 * The steps of `.github/workflows/pipeline.yml`, run on two copies of this workspace that stand for two machines: the folder that
 * CI saves and restores is all that the second gets of the first. What the workflow's actions do (checkout, Node, that folder) and
 * the installation are left out.
 */
const folder = mkdtempSync(join(tmpdir(), "bertqa-ci-"));
const [main, branch] = [join(folder, "main"), join(folder, "branch")];
const workflow = readFileSync(join(import.meta.dirname, "..", ".github/workflows/pipeline.yml"), "utf8");
const steps = [...workflow.matchAll(/^ +run: (.+)$/gm)]
  .map(([, line]) => line as string)
  .filter((line) => line !== "npm ci");

/** Runs the workflow's steps; the run's summary. */
function runSteps(workspace: string, isMain: boolean): string {
  const summary = join(workspace, "summary.md");
  for (const step of steps) {
    execFileSync("bash", ["-c", step], {
      cwd: workspace,
      encoding: "utf8",
      stdio: "pipe",
      env: {
        ...process.env,
        ...{ PROJECT: "tiny", FOLDER: "pipelines/tiny", IS_MAIN: String(isMain), GITHUB_STEP_SUMMARY: summary },
        ...{ NX_DAEMON: "false", NX_TUI: "false", FORCE_COLOR: "0", CI: "true" },
      },
    });
  }
  return readFileSync(summary, "utf8");
}

const tasks = (workspace: string) =>
  [...readFileSync(join(workspace, ".ci/out/nx.log"), "utf8").matchAll(/^> nx run tiny:(\w+)(?: {2}\[(.*)\])?/gm)].map(
    ([, stage, from]) => [stage, from ?? "ran"],
  );

beforeAll(() => Promise.all([copyWorkspace(main), copyWorkspace(branch)]));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the workflow has the steps that are run here", () => {
  expect(steps).toEqual([
    '.ci/pipeline "$PROJECT" "$FOLDER" .ci/kept .ci/out',
    'cat .ci/out/comment.md >>"$GITHUB_STEP_SUMMARY"',
  ]);
});

test("a task whose outputs Nx left as they were, as it does where its daemon runs, did not run", () => {
  const [rule] = /^that_ran\(\).*$/m.exec(readFileSync(join(main, ".ci/pipeline"), "utf8")) ?? [];
  const states = ["", "  [local cache]", "  [remote cache]", "  [existing outputs match the cache, left as is]"];
  const log = join(folder, "nx.log");
  writeFileSync(log, states.map((state, number) => `> nx run tiny:${number}${state}\n`).join(""));
  expect(execFileSync("bash", ["-c", `${rule}; that_ran ${log}`], { encoding: "utf8" })).toBe("tiny:0\n");
});

test("main runs every stage and keeps its results and its evaluation", { timeout: 180_000 }, () => {
  expect(runSteps(main, true)).toContain("The main branch has no evaluation to compare with yet.");
  expect(tasks(main)).toEqual(["fetch", "tokenize", "train", "predict", "evaluate"].map((stage) => [stage, "ran"]));
});

test(
  "a pull request that changes evaluate runs evaluate alone, and shows the paired difference",
  { timeout: 180_000 },
  () => {
    cpSync(join(main, ".ci/kept"), join(branch, ".ci/kept"), { recursive: true });
    // As many files as fill a pipe: the script looks whether there are any.
    const files = join(branch, ".ci/kept/nx/of-another-program");
    mkdirSync(files);
    for (let number = 0; number < 2000; number++) writeFileSync(join(files, `${"x".repeat(80)}${number}`), "");
    const options = join(branch, "pipelines/tiny/evaluate.json");
    writeFileSync(options, readFileSync(options, "utf8").replace('"bootstrapSamples":50', '"bootstrapSamples":60'));
    const kept = () => readFileSync(join(branch, ".ci/kept/baseline/tiny/manifest.json"), "utf8");
    const before = kept();
    const comment = runSteps(branch, false);
    expect(tasks(branch)).toEqual([
      ...["fetch", "tokenize", "train", "predict"].map((stage) => [stage, "remote cache"]),
      ["evaluate", "ran"],
    ]);
    expect(comment).toMatch(/^Ran: tiny:evaluate\. From the cache: everything else\.$/m);
    expect(comment).toMatch(/^\| exact \| (\d+\.\d\d) \| \1 \| = \+0\.00 \| \+0\.00 to \+0\.00 \| 1\.000 \|$/m);
    // A pull request leaves main's baseline as it is.
    expect(kept()).toBe(before);
  },
);
