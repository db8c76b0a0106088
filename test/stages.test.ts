import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { cp, mkdir, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256Of, silentReporter, type Manifest, type StageReads } from "@bertqa/core";
import { runStage, type AnyStage } from "@bertqa/runner";
import { findStage, stageNames } from "../packages/cli/src/stages.ts";
import { tinyOptions, writeTinyPipeline } from "./support/tiny-pipeline.ts";

/** The contract that every stage passes, on a tiny pipeline in a workspace of the test's own. */
const workspace = mkdtempSync(join(tmpdir(), "bertqa-stages-"));
const folder = join(workspace, "pipelines", "tiny");
const artifacts = join(workspace, "artifacts", "tiny");
const bin = join(import.meta.dirname, "..", "packages", "bertqa", "bin", "bertqa.mjs");
const stages = new Map<string, AnyStage>();

function run(name: string) {
  return runStage(stages.get(name) as AnyStage, folder, { reporter: silentReporter, findStage });
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(artifacts, name, "manifest.json"), "utf8")) as Manifest;
}

beforeAll(async () => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(workspace, "nx.json"), "{}");
  await writeTinyPipeline(folder, {
    ...tinyOptions,
    train: { ...tinyOptions.train, epochs: 4, precision: "float32" },
    predict: { precision: "float32" },
  });
  for (const name of stageNames) {
    stages.set(name, (await findStage(name)) as AnyStage);
    await run(name);
  }
}, 120_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

const slow = { timeout: 120_000 };

describe.each(stageNames)("the stage %s", (name) => {
  const reads = () => Object.values((stages.get(name) as AnyStage).reads as StageReads);

  test("makes the same bytes again from its command, which prints the artifact's path", slow, () => {
    const before = manifestOf(name);
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, "stage", name, folder], { encoding: "utf8" });
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: `${join(artifacts, name)}\n` });
    // A line break inside a message would be shown as an escape, and a table of several lines be one.
    expect(stderr).not.toMatch(/\\x0a|\\x09/);
    expect(manifestOf(name)).toEqual(before);
  });

  test("killed while it runs, leaves the old artifact, and its next run makes the same bytes", slow, async () => {
    const before = manifestOf(name);
    const child = spawn(process.execPath, [bin, "stage", name, folder], { stdio: "ignore" });
    const exited = once(child, "exit");
    const watcher = watch(artifacts, (_, entry) => {
      if (String(entry).startsWith(`.${name}.new-`)) child.kill("SIGKILL");
    });
    await exited;
    watcher.close();
    expect(child.signalCode).toBe("SIGKILL");
    expect(manifestOf(name)).toEqual(before);

    expect((await run(name)).manifest).toEqual(before);
    const leftovers = readdirSync(artifacts).filter((entry) => entry.startsWith("."));
    expect(leftovers).toEqual([]);
  });

  test("with an option it does not know, exits with 1 and one line, and the old artifact stays", slow, async () => {
    const path = join(folder, `${name}.json`);
    const options = await readFile(path, "utf8");
    const before = manifestOf(name);
    await writeFile(path, JSON.stringify({ ...JSON.parse(options), learnigRate: 1 }));
    try {
      const { status, stderr } = spawnSync(process.execPath, [bin, "stage", name, folder], { encoding: "utf8" });
      expect(status).toBe(1);
      expect(stderr).toMatch(new RegExp(`^${name}: .*${name}\\.json breaks its schema: .*learnigRate.*\n$`));
      expect(manifestOf(name)).toEqual(before);
    } finally {
      await writeFile(path, options);
    }
  });

  test("refuses each of its inputs by name where it is gone, of another kind, or damaged", slow, async () => {
    const before = manifestOf(name);
    for (const { kind, from } of reads()) {
      const place = join(artifacts, from);
      const kept = join(workspace, "kept");
      await cp(place, kept, { recursive: true });
      const restore = async () => {
        rmSync(place, { recursive: true, force: true });
        await cp(kept, place, { recursive: true });
      };

      rmSync(place, { recursive: true });
      await expect(run(name)).rejects.toThrow(`${name}: there is no ${kind} artifact in ${place}`);
      await restore();

      const other = kind === "dataset" ? "windows" : "dataset";
      const manifest = { ...manifestOf(from), kind: other, manifestSha256: undefined };
      await writeFile(join(place, "manifest.json"), JSON.stringify(manifest));
      await expect(run(name)).rejects.toThrow(`${name}: got an artifact of kind "${other}", expected "${kind}"`);
      await restore();

      for (const { path } of manifestOf(from).files) {
        await flipLastByte(join(place, path));
        // A file that the stage does not read costs it nothing: its result is then what it was.
        const outcome = await run(name).then(
          (artifact) => artifact.manifest,
          (error: Error) => error.message,
        );
        if (typeof outcome === "string") expect(outcome).toContain(`${join(place, path)} has sha256`);
        else expect(outcome).toEqual(before);
        await flipLastByte(join(place, path));
      }
      rmSync(kept, { recursive: true });
    }
    expect(manifestOf(name)).toEqual(before);
    expect(existsSync(join(artifacts, name))).toBe(true);
  });
});

async function flipLastByte(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    const { size } = await handle.stat();
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, size - 1);
    byte[0] = (byte[0] as number) ^ 1;
    await handle.write(byte, 0, 1, size - 1);
  } finally {
    await handle.close();
  }
}

describe("an artifact that somebody else may have written", () => {
  /** Puts a file into the artifact of a stage, listed in its manifest as if the stage had made it; the artifact is then put back. */
  async function withPlanted(
    from: string,
    name: string,
    plant: (path: string) => Promise<void>,
    use: () => Promise<void>,
  ) {
    const place = join(artifacts, from);
    const kept = join(workspace, "kept");
    await cp(place, kept, { recursive: true });
    try {
      await rm(join(place, name), { force: true });
      await plant(join(place, name));
      const content = await readFile(join(place, name));
      const manifest = manifestOf(from);
      const others = manifest.files.filter(({ path }) => path !== name);
      const files = [...others, { path: name, bytes: content.length, sha256: sha256Of(content) }];
      const contentSha256 = sha256Of(files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join(""));
      const planted = { ...manifest, files, contentSha256, manifestSha256: undefined };
      await writeFile(join(place, "manifest.json"), JSON.stringify(planted));
      await use();
    } finally {
      rmSync(place, { recursive: true });
      await cp(kept, place, { recursive: true });
      rmSync(kept, { recursive: true });
    }
  }

  async function textsIn(folder: string): Promise<string[]> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return Promise.all(
      entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")),
    );
  }

  test(
    "cannot make train write through a link: the user's start-up file of the shell stays as it was",
    slow,
    async () => {
      const startUp = join(workspace, ".bashrc");
      await writeFile(startUp, "alias ll='ls -l'\n");
      const before = manifestOf("train");
      for (const name of ["tokenizer/config.json", "tokenizer/model.safetensors", "tokenizer/tokenizer.json"]) {
        await withPlanted(
          "tokenize",
          name,
          (path) => symlink(startUp, path),
          async () => {
            await expect(run("train")).rejects.toThrow(
              `${join(artifacts, "tokenize", name)} is neither a regular file nor a folder`,
            );
          },
        );
      }
      expect(await readFile(startUp, "utf8")).toBe("alias ll='ls -l'\n");
      expect(manifestOf("train")).toEqual(before);
    },
  );

  test(
    "cannot give the model a config of its own either: train takes a tokenizer's files by their names",
    slow,
    async () => {
      const before = manifestOf("train");
      const config = JSON.stringify({ x: "$(touch PWNED)" });
      await withPlanted(
        "tokenize",
        "tokenizer/config.json",
        (path) => writeFile(path, config),
        async () => {
          const { manifest } = await run("train");
          expect(manifest.files).toEqual(before.files);
        },
      );
      await run("train");
    },
  );

  test("cannot carry a secret of the user into what they publish", slow, async () => {
    const secret = "machine hub.example login me password hunter2";
    const netrc = join(workspace, ".netrc");
    await writeFile(netrc, secret);
    const before = manifestOf("tokenize");
    for (const name of ["encoder/special_tokens_map.json", "encoder/netrc", "train.json"]) {
      await withPlanted(
        "fetch",
        name,
        (path) => symlink(netrc, path),
        async () => {
          await expect(run("tokenize")).rejects.toThrow(
            `${join(artifacts, "fetch", name)} is neither a regular file nor a folder`,
          );
        },
      );
    }
    expect(manifestOf("tokenize")).toEqual(before);
    expect((await textsIn(artifacts)).filter((text) => text.includes("hunter2"))).toEqual([]);
  });
});

test("an edited encoder makes train refuse the windows of the old one, before any training", slow, async () => {
  const vocabulary = join(folder, "encoder", "vocab.txt");
  const before = manifestOf("train");
  const text = await readFile(vocabulary, "utf8");
  await writeFile(vocabulary, `${text}new\n`);
  await run("fetch");
  const { status, stderr } = spawnSync(process.execPath, [bin, "stage", "train", folder], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^train: the windows in .* were made from another dataset .* Run the tokenize stage again\.\n$/,
  );
  expect(manifestOf("train")).toEqual(before);
  await writeFile(vocabulary, text);
  await run("fetch");
});

test("without TensorFlow, train says what to run, and the trained model stays", slow, async () => {
  const before = manifestOf("train");
  const env = { ...process.env, BERTQA_CACHE: join(workspace, "empty-cache") };
  const run = spawnSync(process.execPath, [bin, "stage", "train", folder], { encoding: "utf8", env });
  expect(run.status).toBe(1);
  expect(run.stderr.trim().split("\n").at(-1)).toMatch(/engine:install/);
  expect(manifestOf("train")).toEqual(before);
});

test("two runs on one place: the second is refused by its command", slow, async () => {
  const first = spawn(process.execPath, [bin, "stage", "train", folder], { stdio: "ignore" });
  const exited = once(first, "exit");
  await new Promise<void>((resolve) => {
    const watcher = watch(artifacts, (_, entry) => {
      if (!String(entry).startsWith(".train.new-")) return;
      watcher.close();
      resolve();
    });
  });
  first.kill("SIGSTOP");
  const second = spawnSync(process.execPath, [bin, "stage", "train", folder], { encoding: "utf8" });
  first.kill("SIGCONT");
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`train: another run of train (process ${first.pid}) is writing here.`);
  expect(await exited).toEqual([0, null]);
});
