import { defineStage, openArtifact, type Artifact } from "@bertqa/core";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { runIn } from "../../../test/support/run-stage.ts";
import { runStage, takeLock, type AnyStage } from "../src/index.ts";
import { ownMark } from "../src/processes.ts";
import { openWork } from "../src/work.ts";
import { silentReporter } from "@bertqa/core";

/** Two small stages: `fetch` writes a word, `tokenize` writes it in capitals. */
const fetchStage = defineStage({
  name: "fetch",
  summary: "Writes a word",
  options: z.strictObject({ word: z.string().default("hello"), threads: z.int().default(1) }),
  incidentalOptions: ["threads"],
  reads: {},
  writes: "dataset",
  run: async ({ options, draft }) => {
    if (options.word === "fail") throw new Error("as asked");
    await writeFile(await draft.path("word.txt"), options.word);
    return { counts: { letters: options.word.length } };
  },
});
const tokenizeStage = defineStage({
  name: "tokenize",
  summary: "Writes the word in capitals",
  options: z.strictObject({}),
  reads: { dataset: { kind: "dataset", from: "fetch" } },
  writes: "windows",
  run: async ({ inputs, draft }) => {
    const word = await readFile(await inputs.dataset.artifact.file("word.txt"), "utf8");
    await writeFile(await draft.path("word.txt"), word.toUpperCase());
    return { counts: {} };
  },
});
const trainStage = defineStage({
  name: "train",
  summary: "Reads both",
  options: z.strictObject({}),
  reads: { dataset: { kind: "dataset", from: "fetch" }, windows: { kind: "windows", from: "tokenize" } },
  writes: "model",
  run: async ({ draft }) => {
    await writeFile(await draft.path("weights"), "");
    return { counts: {} };
  },
});
const stages: Record<string, AnyStage> = { fetch: fetchStage, tokenize: tokenizeStage, train: trainStage };

let folder: string;
let artifacts: string;
beforeEach(async () => {
  const workspace = await temporaryFolder();
  await writeFile(join(workspace, "nx.json"), "{}");
  folder = join(workspace, "pipelines", "small");
  artifacts = join(workspace, "artifacts", "small");
  await mkdir(folder, { recursive: true });
  for (const name of Object.keys(stages)) await writeFile(join(folder, `${name}.json`), "{}");
});

function run(name: string): Promise<Artifact> {
  return runStage(stages[name] as AnyStage, folder, {
    reporter: silentReporter,
    findStage: async (each) => stages[each],
  });
}

test("artifacts lie in the workspace, under the name of project.json, wherever the command is run", async () => {
  expect((await run("fetch")).folder).toBe(join(artifacts, "fetch"));
  await writeFile(join(folder, "project.json"), '{"name": "other"}');
  expect((await run("fetch")).folder).toBe(join(artifacts, "..", "other", "fetch"));
});

test("the manifest holds the options that decide bytes, the inputs' hashes and the counts", async () => {
  await writeFile(join(folder, "fetch.json"), '{"threads": 3}');
  const dataset = await run("fetch");
  expect(dataset.manifest).toMatchObject({ options: { word: "hello" }, counts: { letters: 5 }, inputs: {} });
  expect(dataset.manifest.options).not.toHaveProperty("threads");
  expect((await run("tokenize")).manifest.inputs).toEqual({ dataset: dataset.manifest.contentSha256 });
});

describe("a run that fails changes nothing", () => {
  test("when the stage throws, an option is bad, or an input is gone", async () => {
    await run("fetch");
    await run("tokenize");
    const before = await readFile(join(artifacts, "tokenize", "manifest.json"), "utf8");

    await writeFile(join(folder, "fetch.json"), '{"word": "fail"}');
    await expect(run("fetch")).rejects.toThrow("as asked");
    await writeFile(join(folder, "fetch.json"), '{"wrod": "x"}');
    await expect(run("fetch")).rejects.toThrow("wrod");
    expect(await readFile(join(artifacts, "fetch", "word.txt"), "utf8")).toBe("hello");

    await rm(join(artifacts, "fetch"), { recursive: true });
    await expect(run("tokenize")).rejects.toThrow("tokenize: there is no dataset artifact in");
    expect(await readFile(join(artifacts, "tokenize", "manifest.json"), "utf8")).toBe(before);
    expect(await readdir(artifacts)).toEqual(["tokenize"]);
  });

  test("and the next stage does not take the old artifact for a new one", async () => {
    await run("fetch");
    await writeFile(join(folder, "fetch.json"), '{"word": "fail"}');
    await expect(run("fetch")).rejects.toThrow("as asked");
    await expect(run("tokenize")).rejects.toThrow(
      `tokenize: ${join(artifacts, "fetch")} was made with another word than ${join(folder, "fetch.json")} says now. Run the fetch stage first.`,
    );
    // The option as it was makes the artifact good again; one that decides nothing never made it bad.
    await writeFile(join(folder, "fetch.json"), '{"word": "hello", "threads": 5}');
    await run("tokenize");
  });

  test("when Nx hashed another options file than lies here now: it would keep the result as the other's", async () => {
    const nx = { targetDefaults: { tokenize: { inputs: ["{projectRoot}/tokenize.json"] } } };
    await writeFile(join(folder, "..", "..", "nx.json"), JSON.stringify(nx));
    vi.stubEnv("NX_TASK_HASH", "123");
    vi.stubEnv("NX_INVOCATION_ANCESTOR_PIDS", String(process.pid));
    onTestFinished(() => void vi.unstubAllEnvs());
    await run("fetch");
    await expect(run("tokenize")).rejects.toThrow(/changed after Nx had started.*tokenize\.json/);
    expect(await readdir(artifacts)).toEqual(["fetch"]);
  });

  test("files in the stage's place that are no artifact are nobody's to remove", async () => {
    await mkdir(join(artifacts, "fetch"), { recursive: true });
    await writeFile(join(artifacts, "fetch", "photos.txt"), "mine");
    await expect(run("fetch")).rejects.toThrow(/holds files that are no artifact \(photos\.txt …\)/);
    expect(await readFile(join(artifacts, "fetch", "photos.txt"), "utf8")).toBe("mine");
  });
});

test("inputs that do not belong together are refused, naming the stage to run", async () => {
  await run("fetch");
  await run("tokenize");
  await writeFile(join(folder, "fetch.json"), '{"word": "other"}');
  await run("fetch");
  await expect(run("train")).rejects.toThrow(
    /^train: the windows in .*tokenize were made from another dataset than the one in .*fetch\. Run the tokenize stage again\.$/,
  );
});

test("a stage that keeps no work in progress has none to resume from", async () => {
  const resumed = runStage(fetchStage, folder, { reporter: silentReporter, resume: "elsewhere" });
  await expect(resumed).rejects.toThrow("fetch: it keeps no work in progress. Leave out --resume.");
});

test("a pipeline may read another one's artifact", async () => {
  await run("fetch");
  const cell = join(folder, "..", "cell");
  await cp(folder, cell, { recursive: true });
  await writeFile(join(cell, "pipeline.json"), '{"artifacts": {"fetch": "small"}}');
  const artifact = await runStage(tokenizeStage, cell, { reporter: silentReporter });
  expect(artifact.folder).toBe(join(artifacts, "..", "cell", "tokenize"));
  expect(await readFile(await artifact.file("word.txt"), "utf8")).toBe("HELLO");
});

describe("after a run that was killed in the middle of the swap", () => {
  /** The states on disk between the steps of a swap, from the old artifact A and the new one B. */
  const states: Record<
    string,
    { readonly place: "A" | "B" | null; readonly new: "B" | null; readonly old: "A" | null; readonly then: "A" | "B" }
  > = {
    "before it": { place: "A", new: "B", old: null, then: "A" },
    "the old one aside, the new one not in": { place: null, new: "B", old: "A", then: "B" },
    "the new one in, the old one not removed": { place: "B", new: null, old: "A", then: "B" },
    "the old one aside, and the new one lost": { place: null, new: null, old: "A", then: "A" },
  };

  test.each(Object.keys(states))("%s: the next stage finds an artifact that is complete", async (name) => {
    const state = states[name] as (typeof states)[string];
    const kept = await temporaryFolder();
    for (const [word, as] of [
      ["old", "A"],
      ["new", "B"],
    ] as const) {
      // prettier-ignore
      await runIn(fetchStage, { word }, { pipelineFolder: folder, artifactsFolder: artifacts });
      await cp(join(artifacts, "fetch"), join(kept, as), { recursive: true });
    }
    await rm(join(artifacts, "fetch"), { recursive: true });
    for (const [where, what] of [
      ["fetch", state.place],
      [".fetch.new-x1", state.new],
      [".fetch.old-x1", state.old],
    ] as const) {
      // prettier-ignore
      if (what) await cp(join(kept, what), join(artifacts, where), { recursive: true });
    }
    const artifact = await runIn(tokenizeStage, {}, { pipelineFolder: folder, artifactsFolder: artifacts });
    const word = await readFile(await artifact.file("word.txt"), "utf8");
    expect(word).toBe(state.then === "A" ? "OLD" : "NEW");

    // The stage's own next run leaves nothing of the killed one.
    await runIn(fetchStage, {}, { pipelineFolder: folder, artifactsFolder: artifacts });
    expect((await readdir(artifacts)).toSorted()).toEqual(["fetch", "tokenize"]);
  });
});

test("while a stage makes its first artifact, one that reads it is refused and removes nothing of it", async () => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  let begin = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const slowStage: AnyStage = {
    ...fetchStage,
    run: async (context: never) => {
      begin();
      await finished;
      return fetchStage.run(context);
    },
  };
  const running = runStage(slowStage, folder, { reporter: silentReporter });
  await begun;
  await expect(run("tokenize")).rejects.toThrow(
    `tokenize: fetch (process ${process.pid}) is running. Wait until it has ended. (${artifacts})`,
  );
  finish();
  await running;
  await run("tokenize");
});

describe("two runs on one place", () => {
  const lockPath = () => join(artifacts, ".fetch.lock");

  test("the second is refused with a clear line, and the first continues", async () => {
    const lock = await takeLock("fetch", lockPath());
    await expect(run("fetch")).rejects.toThrow(
      `fetch: another run of fetch (process ${process.pid}) is writing here. Wait until it has ended. (${artifacts})`,
    );
    lock.release();
    await run("fetch");
  });

  test.each([
    ["empty, from a process killed while it wrote", () => ""],
    ["of a process that is gone", () => JSON.stringify({ ...ownMark(), pid: 4_000_000 })],
    ["of an earlier process with our id", () => JSON.stringify({ ...ownMark(), started: "1" })],
  ])("a lock that is left over blocks nobody: %s", async (_, text) => {
    await mkdir(artifacts, { recursive: true });
    await writeFile(lockPath(), text());
    await run("fetch");
    expect(existsSync(lockPath())).toBe(false);
  });

  test("of two that find an abandoned lock at once, one takes it", async () => {
    await mkdir(artifacts, { recursive: true });
    const abandoned = JSON.stringify({ ...ownMark(), pid: 4_000_000 });
    const rounds: number[] = [];
    for (let round = 0; round < 400; round++) {
      await writeFile(lockPath(), abandoned);
      const takes = await Promise.allSettled([1, 2].map(() => takeLock("fetch", lockPath())));
      const locks = takes.flatMap((take) => (take.status === "fulfilled" ? [take.value] : []));
      rounds.push(locks.length);
      locks.forEach((lock) => lock.release());
    }
    expect(rounds.filter((held) => held !== 1)).toEqual([]);
    expect(await readdir(artifacts)).toEqual([]);
  });

  test("a run removes its own lock alone", async () => {
    const lock = await takeLock("fetch", lockPath());
    const other = JSON.stringify({ ...ownMark(), host: "elsewhere" });
    await writeFile(lockPath(), other);
    lock.release();
    expect(await readFile(lockPath(), "utf8")).toBe(other);
  });

  test("what a process left that was killed before it took its lock goes with the next run", async () => {
    await mkdir(artifacts, { recursive: true });
    await writeFile(`${lockPath()}-abc`, '{"ho');
    await utimes(`${lockPath()}-abc`, 0, 0);
    await run("fetch");
    expect(await readdir(artifacts)).toEqual(["fetch"]);
  });

  test("a lock of another host is believed, and the line says what to do", async () => {
    await mkdir(artifacts, { recursive: true });
    await writeFile(lockPath(), JSON.stringify({ ...ownMark(), host: "elsewhere", pid: 7 }));
    await expect(run("fetch")).rejects.toThrow(
      `(process 7 of elsewhere) is writing here. Wait for it, or delete ${lockPath()} if it is gone.`,
    );
  });
});

describe("an artifact from outside is data, not trusted", () => {
  const open = () => openArtifact("tokenize", join(artifacts, "fetch"), "dataset");

  test("a link in it is refused, wherever it leads", async () => {
    await run("fetch");
    const secret = join(folder, "secret");
    await writeFile(secret, "hello");
    await rm(join(artifacts, "fetch", "word.txt"));
    await symlink(secret, join(artifacts, "fetch", "word.txt"));
    await expect(open()).rejects.toThrow(/word\.txt is neither a regular file nor a folder/);
  });

  test("so is a file that its manifest does not list, and a manifest that is a link", async () => {
    await run("fetch");
    await writeFile(join(artifacts, "fetch", "more.txt"), "");
    await expect(open()).rejects.toThrow(/more\.txt is not listed in the artifact's manifest/);
    await rm(join(artifacts, "fetch", "more.txt"));
    await rename(join(artifacts, "fetch", "manifest.json"), join(folder, "m"));
    await symlink(join(folder, "m"), join(artifacts, "fetch", "manifest.json"));
    await expect(open()).rejects.toThrow("the manifest is not a regular file");
  });

  test.each(["../word.txt", "/etc/hostname", "a/../../b", "a\0b", "a\\b", "./a", ""])(
    "the name %j in a manifest is refused",
    async (path) => {
      const artifact = await run("fetch");
      const files = [{ ...artifact.manifest.files[0], path }];
      const manifest = { ...artifact.manifest, files, manifestSha256: undefined };
      await writeFile(join(artifact.folder, "manifest.json"), JSON.stringify(manifest));
      await expect(open()).rejects.toThrow(/the manifest breaks its schema: files\.0\.path/);
    },
  );

  test("a content hash that is not that of the listed files is refused: it is what joins the stages", async () => {
    const artifact = await run("fetch");
    const manifest = { ...artifact.manifest, contentSha256: "0".repeat(64), manifestSha256: undefined };
    await writeFile(join(artifact.folder, "manifest.json"), JSON.stringify(manifest));
    await expect(open()).rejects.toThrow("contentSha256 is not that of its list of files");
  });

  test("a manifest in which anything was changed is refused: a count, an option, a space at its end", async () => {
    const artifact = await run("fetch");
    const path = join(artifact.folder, "manifest.json");
    const text = await readFile(path, "utf8");
    for (const changed of [
      text.replace('"formatVersion": ', '"formatVersion":  '),
      text.replace("{", "{\n"),
      `${text} `,
      // Nothing that becomes a text.
      text.replace(/"manifestSha256": "\w+"/, '"manifestSha256": {"toString": null}'),
    ]) {
      await writeFile(path, changed);
      await expect(open()).rejects.toThrow("the manifest is damaged: its text has not the sha256 that it gives");
    }
  });
});

describe("work in progress", () => {
  /** Work that a package's code was begun with, then the code changed in one file. @returns whether it is still the run's */
  async function isTakenUpAfter(file: string, before: string, after: string): Promise<boolean> {
    const engine = join(await temporaryFolder(), "engine");
    for (const name of ["src", "native", "test"]) await mkdir(join(engine, name), { recursive: true });
    const code = [pathToFileURL(join(engine, "src", "index.ts")).href];
    const place = { stage: "train", folder: join(engine, "..", "progress"), reporter: silentReporter, command: "" };
    await writeFile(join(engine, file), before);
    const work = await openWork(place, { decides: {}, code });
    await writeFile(join(work.folder, "step"), "");
    await writeFile(join(engine, file), after);
    await openWork(place, { decides: {}, code });
    return existsSync(join(work.folder, "step"));
  }

  test.each([
    ["another sum in TypeScript", "src/index.ts", "export const a = 1;", "export const a = 2;"],
    ["another kernel", "native/kernels.cc", "a * b + c", "fma(a, b, c)"],
  ])("is not taken up with %s", async (_, file, before, after) => {
    expect(await isTakenUpAfter(file, before, after)).toBe(false);
  });

  test.each([
    ["comment", "src/index.ts", "export const a = 1;", "/** One. */\nexport const a: number = 1; // 1"],
    ["test", "test/index.test.ts", "a", "b"],
  ])("is taken up with another %s", async (_, file, before, after) => {
    expect(await isTakenUpAfter(file, before, after)).toBe(true);
  });
});
