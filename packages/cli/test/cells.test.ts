import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { check } from "prettier";
import { silentReporter } from "@bertqa/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compare } from "../src/commands/compare.ts";
import { newCells, newCurve } from "../src/commands/new-cells.ts";
import { stage } from "../src/commands/stage.ts";
import { findPipeline, refuseTaken } from "../src/pipeline-files.ts";
import { recipeFor } from "../src/recipe.ts";
import { parseSettings, planCells, withOption } from "../src/cells/settings.ts";

const repository = resolve(import.meta.dirname, "../../..");
let workspace: string;

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "bertqa-cells-"));
  await cp(join(repository, "nx.json"), join(workspace, "nx.json"));
  for (const name of ["own-data", "sample"]) {
    await cp(join(repository, "pipelines", name), join(workspace, "pipelines", name), { recursive: true });
  }
});
afterAll(() => rm(workspace, { recursive: true }));
// Paths are given and printed relative to the workspace, where the command is typed.
const home = process.cwd();
beforeEach(() => process.chdir(workspace));
afterEach(() => process.chdir(home));

/** Makes cells; what was said of them. */
async function makeCells(name: string, like: string, ...sets: readonly string[]) {
  const lines: string[] = [];
  const folders = await newCells(name, like, sets, { ...silentReporter, line: (line) => lines.push(line) });
  return { folders, lines };
}

function bertqaNew(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = [join(repository, "packages/bertqa/bin/bertqa.mjs"), "new", ...args];
  return new Promise((ended) => {
    execFile(process.execPath, program, { cwd: workspace }, (error, stdout, stderr) =>
      ended({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

const read = async (path: string) => JSON.parse(await readFile(join(workspace, "pipelines", path), "utf8"));
const written = () => readdir(join(workspace, "pipelines"));

describe("settings", () => {
  test("values are split at commas, but not inside brackets, braces and quotes", () => {
    const [setting] = parseSettings(['fetch.encoder.sources=["a,b","c]"],["d"]']);
    expect(setting).toMatchObject({ stage: "fetch", path: ["encoder", "sources"] });
    expect(setting?.values.map(({ value }) => value)).toEqual([["a,b", "c]"], ["d"]]);
  });

  test("a value is JSON where it can be, else text", () => {
    const [precision, rate] = parseSettings(["train.precision=float32", "train.learningRate=1e-4,0.5"]);
    expect(precision?.values).toEqual([{ text: "float32", value: "float32" }]);
    expect(rate?.values.map(({ value }) => value)).toEqual([0.0001, 0.5]);
  });

  test.each(["train.seed", "seed=1", "train.seed=", "train.seed=1,,2", "train.__proto__.x=1", "../x.seed=1"])(
    "%s is refused by its form",
    (text) => expect(() => parseSettings([text])).toThrow(/^new: .*expected <stage>\.<option>=<value>/),
  );

  test("one option set twice is refused", () => {
    expect(() => parseSettings(["train.seed=1", "train.seed=2"])).toThrow("train.seed is set twice");
  });

  test("two options of two values make four cells, named by their values; one combination has the plain name", () => {
    const names = (...texts: string[]) => planCells("x", parseSettings(texts)).map(({ name }) => name);
    expect(names("train.seed=1,2", "train.learningRate=1e-4,0.0002", "train.epochs=3")).toEqual([
      "x-seed-1-learning-rate-1e-4",
      "x-seed-1-learning-rate-0.0002",
      "x-seed-2-learning-rate-1e-4",
      "x-seed-2-learning-rate-0.0002",
    ]);
    expect(names("train.seed=1", "train.epochs=3")).toEqual(["x"]);
    expect(() => names("train.epochs=1,1")).toThrow("make the same name, x-epochs-1");
    expect(() => names("train.seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", `train.epochs=${"1,".repeat(14)}2`)).toThrow(
      "make 225 cells, expected 200 at most",
    );
  });

  test("a value deep inside is set in a copy; what is no object on the way is refused", () => {
    const options = { a: { b: 1, c: 2 } };
    expect(withOption(options, ["a", "b"], 3, "k")).toEqual({ a: { b: 3, c: 2 } });
    expect(options).toEqual({ a: { b: 1, c: 2 } });
    expect(withOption({}, ["constructor", "b"], 3, "k")).toEqual({ constructor: { b: 3 } });
    expect(() => withOption({ a: [1] }, ["a", "b"], 3, "k")).toThrow("k leads through a, which is no object");
  });
});

test("a cell of another seed holds train and later, takes fetch and tokenize from its source, and depends on its targets", async () => {
  const { folders, lines } = await makeCells("seeds", "own-data", "train.seed=2");
  expect(folders).toEqual(["pipelines/seeds"]);
  expect(lines).toEqual([
    "1 cell; shared: fetch, tokenize of own-data",
    'next: npx nx run-many -t evaluate -p "seeds"',
  ]);
  expect(await read("seeds/pipeline.json")).toEqual({ artifacts: { fetch: "own-data", tokenize: "own-data" } });
  expect(await read("seeds/train.json")).toEqual({ ...(await read("own-data/train.json")), seed: 2 });
  const { name, targets, namedInputs, implicitDependencies } = await read("seeds/project.json");
  expect(implicitDependencies).toEqual(["own-data", "train", "predict", "evaluate", "export"]);
  expect([name, namedInputs, Object.keys(targets)]).toEqual([
    "seeds",
    undefined,
    ["train", "predict", "evaluate", "export"],
  ]);
  const source = (target: string) => ({ projects: ["own-data"], target });
  const engine = { projects: ["engine"], target: "install" };
  expect(targets.train.dependsOn).toEqual([source("fetch"), source("tokenize"), engine]);
  expect(targets.evaluate.dependsOn).toEqual([source("fetch"), source("tokenize"), "train", "predict"]);
});

test("files of a cell are written as prettier writes them, so that they can be committed", async () => {
  for (const file of await readdir(join(workspace, "pipelines/seeds"))) {
    const text = await readFile(join(workspace, "pipelines/seeds", file), "utf8");
    expect([file, await check(text, { filepath: file, printWidth: 120 })]).toEqual([file, true]);
  }
});

test("a change in tokenize shares fetch alone, by the project's name where the folder has another", async () => {
  await makeCells("wide", "pipeline", "tokenize.maxTokens=256", "train.epochs=2");
  expect(await read("wide/pipeline.json")).toEqual({ artifacts: { fetch: "sample" } });
  expect((await read("wide/project.json")).targets.tokenize.dependsOn).toEqual([
    { projects: ["pipeline"], target: "fetch" },
  ]);
  expect((await read("wide/train.json")).epochs).toBe(2);
});

test("a change in fetch shares nothing, and local sources still lead to the source's files", async () => {
  const given = await read("sample/fetch.json");
  given.dataset.dev.sources = ["/data/dev.json"];
  await writeFile(join(workspace, "pipelines/sample/fetch.json"), JSON.stringify(given));
  await makeCells("few", "sample", "fetch.dataset.train.firstQuestions=20");
  const { train, dev, sanity } = (await read("few/fetch.json")).dataset;
  expect(train).toEqual({ sources: ["../sample/corpus/train.json"], firstQuestions: 20 });
  expect(dev.sources).toEqual(["/data/dev.json"]);
  expect(sanity.sources).toEqual(["../sanity/sanity.json"]);
  expect((await written()).includes("few") && (await readdir(join(workspace, "pipelines/few")))).not.toContain(
    "pipeline.json",
  );
  const { namedInputs, targets } = await read("few/project.json");
  expect(namedInputs.localSources[0].runtime).toBe(
    "node packages/fetch/bin/bertqa-fetch-fingerprint.mjs pipelines/few",
  );
  expect(targets.train).toEqual({});
});

test("a curve is a cell a size, which draws so many questions and has the epochs of that size, but where --set says otherwise", async () => {
  const lines: string[] = [];
  const reporter = { ...silentReporter, line: (line: string) => lines.push(line) };
  expect(await newCurve("curve", "own-data", [100, 3000, 100], ["train.learningRate=1e-4"], reporter)).toEqual([
    "pipelines/curve-100",
    "pipelines/curve-3000",
  ]);
  expect(lines.slice(1)).toEqual([
    'next: npx nx run-many -t evaluate -p "curve-*"',
    'then: npx bertqa compare "pipelines/curve-*"',
  ]);
  const [small, large] = [await read("curve-100/train.json"), await read("curve-3000/train.json")];
  expect((await read("own-data/train.json")).rDropWeight).toBe(1);
  expect(small).toMatchObject({ epochs: 20, batchWindows: 8, learningRate: 1e-4, rDropWeight: 0 });
  expect(large).toMatchObject({ epochs: 4, learningRate: 1e-4, rDropWeight: 0 });
  expect(recipeFor(10_299, 384)).toEqual({ epochs: 4, learningRate: 2e-4, rDropWeight: 1 });
  expect(recipeFor(10_299, 768)).toEqual({ epochs: 4, learningRate: 5e-5, rDropWeight: 0 });
  expect((await read("curve-3000/fetch.json")).dataset.train.draw).toEqual({ questions: 3000 });
  const control = ["train.epochs=3", "tokenize.tuneShare=0"];
  await newCurve("control", "own-data", [100], control, reporter);
  expect(await read("control-100/train.json")).toMatchObject({ epochs: 3, batchWindows: 8 });
  // Nobody knows yet how many there are.
  await newCurve("more", "own-data", [100], ['fetch.dataset.extra={"sources":["extra.json"]}'], reporter);
  expect(lines.at(-3)).toContain("without the extra ones");
  // One name that is taken leaves the others unwritten.
  await expect(newCurve("curve", "own-data", [300, 3000], [], reporter)).rejects.toThrow("curve-3000 is already there");
  expect(await written()).not.toContain("curve-300");
});

test("a cell of a cell takes each stage from the pipeline that runs it", async () => {
  await makeCells("later", "seeds", "predict.maxAnswerTokens=20");
  expect(await read("later/pipeline.json")).toEqual({
    artifacts: { fetch: "own-data", tokenize: "own-data", train: "seeds" },
  });
  await makeCells("earlier", "seeds", "tokenize.seed=3");
  expect(await read("earlier/pipeline.json")).toEqual({ artifacts: { fetch: "own-data" } });
  expect((await read("earlier/train.json")).seed).toBe(2);
});

test.each([
  ["own-data", ["train.seed=1,-1"], /^new: --set train\.seed=-1: seed: /],
  [
    "own-data",
    ["train.sede=1"],
    /^new: --set train\.sede=1: Unrecognized key: "sede"\. npx bertqa stage train --print-schema/,
  ],
  ["own-data", ["trane.seed=1"], /has no stage "trane"\. Choose one of fetch, tokenize/],
  ["own-data", [], /nothing what differs\. Add --set/],
  ["nowhere", ["train.seed=2"], /there is no pipeline "nowhere"\. Name one of .*own-data/],
])("cells of %s with %j are refused, and nothing is written", async (like, sets, message) => {
  const before = await written();
  await expect(makeCells("bad", like, ...sets)).rejects.toThrow(message);
  expect(await written()).toEqual(before);
});

test.each(["pipelines/sample", "sample", "pipeline"])("every command finds the pipeline %s", async (name) => {
  expect(findPipeline("new", name)).toBe("pipelines/sample");
  const first = "Run npx nx run pipeline:evaluate first";
  await expect(compare([name], { at: "primary", samples: 10, seed: 1, show: 0 })).rejects.toThrow(first);
  await expect(stage("evaluate", name, {})).rejects.toThrow(join("artifacts", "pipeline"));
});

test("a name that is taken by one cell of a sweep leaves the others unwritten too", async () => {
  await mkdir("pipelines/sweep-seed-2");
  await writeFile("pipelines/sweep-seed-2/mine.txt", "");
  await expect(makeCells("sweep", "own-data", "train.seed=1,2")).rejects.toThrow(
    "new: pipelines/sweep-seed-2 is already there. Choose another name.",
  );
  expect(await written()).not.toContain("sweep-seed-1");
});

test("a name that another project has is refused, for cells too: Nx would refuse every command", async () => {
  await mkdir("packages/train/demo", { recursive: true });
  await writeFile("packages/train/package.json", JSON.stringify({ name: "@bertqa/train", nx: { name: "train" } }));
  await writeFile("packages/train/demo/project.json", JSON.stringify({ name: "demo" }));
  const owners = { train: "packages/train", demo: "packages/train/demo", pipeline: "pipelines/sample" };
  for (const [name, owner] of Object.entries(owners)) {
    const message = `new: ${name} is already the name of the project in ${owner}. Choose another name.`;
    await expect(makeCells(name, "own-data", "train.seed=2")).rejects.toThrow(message);
    expect(() => refuseTaken(name, `pipelines/${name}`)).toThrow(message);
  }
});

test("values that are the source's own make a cell all the same, and that is said", async () => {
  const { lines } = await makeCells("same", "own-data", "train.epochs=4");
  expect(lines[0]).toBe("same: train as in own-data; it runs again all the same");
});

test("the command prints the folders; a cell that has data of its own too is bad usage", async () => {
  const made = await bertqaNew("seed", "--like", "own-data", "--set", "train.seed=1,2");
  expect(made).toMatchObject({ code: 0, stdout: "pipelines/seed-seed-1\npipelines/seed-seed-2\n" });
  expect((await bertqaNew("x")).code).toBe(2);
  expect((await bertqaNew("x", "--like", "own-data", "--train", "q.csv")).code).toBe(2);
  expect((await bertqaNew("x", "--like", "own-data", "--set", "train.seed=1", "--seed", "7")).code).toBe(2);
});
