import { spawn } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { pipelinePaths, refuseChangedInputs } from "../src/index.ts";
import { startedMsOf } from "../src/processes.ts";

const nx = {
  namedInputs: { production: ["{projectRoot}/src/**/*", "!{projectRoot}/src/**/*.md", "{projectRoot}/package.json"] },
  targetDefaults: {
    fetch: { inputs: ["{projectRoot}/fetch.json", "{projectRoot}/pipeline.json", "node", { env: "A" }] },
    tokenize: { inputs: ["{projectRoot}/tokenize.json", { input: "production", projects: ["tokenize"] }] },
    train: { inputs: ["{projectRoot}/train.json", { input: "production", projects: ["train"] }] },
  },
};

/** A workspace whose files were just written. @returns what the stage says where the Nx that runs it is a process */
async function workspaceOfNow() {
  const workspace = await temporaryFolder();
  const write = (name: string, content = "{}") => {
    mkdirSync(dirname(join(workspace, name)), { recursive: true });
    writeFileSync(join(workspace, name), content);
    return join(workspace, name);
  };
  const files = ["pipelines/small/fetch.json", "packages/tokenize/src/deep/a.ts", "packages/evaluate/src/a.ts"].map(
    (name) => write(name),
  );
  write("packages/train/src/.a.ts.swp"); // an editor has a file open
  write("nx.json", JSON.stringify(nx));
  const paths = await pipelinePaths("test", join(workspace, "pipelines", "small"));
  // Of the user's own: what is named and not there is the stage's to say.
  const run = (stage: string, ancestors: string | undefined, hash: string | undefined = "123") =>
    refuseChangedInputs(stage, paths, ["/nowhere", join(workspace, "nx.json", "below a file")], {
      NX_TASK_HASH: hash,
      NX_INVOCATION_ANCESTOR_PIDS: ancestors,
    });
  return { files, run };
}

test("an options file and code that were changed since Nx started are refused by name; other files are nothing to the stage", async () => {
  const { run } = await workspaceOfNow();
  const own = String(process.pid); // which runs for longer than the files are there
  expect(() => run("fetch", own)).toThrow(/^fetch: a file was changed after Nx had started.*small\/fetch\.json\)$/);
  expect(() => run("tokenize", own)).toThrow(/^tokenize: a file was changed .*tokenize\/src\/deep\/a\.ts\)$/);
  expect(() => run("train", own)).not.toThrow();
});

test("what was changed before is not refused, and without Nx nothing is", async () => {
  const { files, run } = await workspaceOfNow();
  const changedMs = Math.max(...files.map((file) => statSync(file).ctimeMs));
  let pid: number;
  do {
    const child = spawn("sleep", ["600"]);
    onTestFinished(() => void child.kill());
    pid = child.pid as number;
  } while ((startedMsOf(pid) as number) <= changedMs);
  // The innermost Nx is the one that hashed.
  expect(() => run("fetch", `${process.pid},${pid}`)).not.toThrow();
  expect(() => run("fetch", undefined)).not.toThrow();
});
