import { parseJson } from "@bertqa/core";
import { squadFileSchema } from "@bertqa/squad";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { check } from "prettier";
import { afterEach, beforeEach, expect, test } from "vitest";

const repository = resolve(import.meta.dirname, "../../..");
const cleanups: (() => unknown)[] = [];
let workspace: string;

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), "bertqa-new-"));
  cleanups.push(() => rm(workspace, { recursive: true }));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command in the workspace of the test. */
function bertqa(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const env = { ...process.env, BERTQA_CACHE: join(workspace, "cache"), ...variables };
  const program = [join(repository, "packages/bertqa/bin/bertqa.mjs"), ...args];
  return new Promise((ended) => {
    execFile(process.execPath, program, { cwd: workspace, env }, (error, stdout, stderr) =>
      ended({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

const passage = (i: number) => `Town ${i} lies on the river Ems. Its bridge was built in ${1800 + i}.`;
const table = ["context,question,answer", ...Array.from({ length: 20 }, (_, i) => `"${passage(i)}",When?,${1800 + i}`)];

async function readQuestions(name: string) {
  const { data } = parseJson("test", await readFile(join(workspace, name), "utf8"), name, squadFileSchema);
  return data.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => qas.map((qa) => ({ context, ...qa }))),
  );
}

test("import writes one SQuAD file of several tables, and takes a share of the passages out as dev", async () => {
  await writeFile(join(workspace, "a.csv"), table.slice(0, 11).join("\n"));
  await writeFile(join(workspace, "b.csv"), [table[0], ...table.slice(11)].join("\n"));
  const { code, stdout, stderr } = await bertqa([
    "import",
    "a.csv",
    "b.csv",
    "--to",
    "own/train.json",
    "--split",
    "0.1",
  ]);
  expect([code, stdout]).toEqual([0, "own/train.json\nown/dev.json\n"]);
  expect(stderr).toContain("20 questions without id, named by their place");
  const [train, dev] = [await readQuestions("own/train.json"), await readQuestions("own/dev.json")];
  // A tenth of 20 passages of one question each.
  expect([train.length, dev.length]).toEqual([18, 2]);
  for (const { context, answers } of [...train, ...dev]) {
    expect(context.indexOf(answers?.[0]?.text ?? "?")).toBe(answers?.[0]?.answer_start);
  }
  const again = await bertqa(["import", "a.csv", "--to", "own/train.json"]);
  expect([again.code, again.stderr]).toEqual([
    1,
    "import: own/train.json is already there. Give --force to replace it.\n",
  ]);
});

test("import refuses one file for train and dev, and options of --split without it", async () => {
  await writeFile(join(workspace, "a.csv"), table.join("\n"));
  const same = await bertqa(["import", "a.csv", "--to", "own/dev.json", "--split", "0.1", "--force"]);
  expect([same.code, same.stderr]).toEqual([
    1,
    "import: train and dev would both be own/dev.json. Give another --to or --dev.\n",
  ]);
  for (const [option, value] of [
    ["--dev", "d.json"],
    ["--seed", "7"],
  ] as const) {
    const { code, stderr } = await bertqa(["import", "a.csv", "--to", "t.json", option, value]);
    expect([code, stderr]).toEqual([2, `error: ${option} needs --split <share>\n`]);
  }
});

test("import and new say what to do about data of a single passage, which cannot be divided", async () => {
  await makeWorkspace();
  await writeFile(join(workspace, "one.csv"), [...table.slice(0, 2), `"${passage(0)}",Where?,Ems`].join("\n"));
  const told = async (...args: string[]) => (await bertqa(args)).stderr.trimEnd().split("\n").at(-1);
  const problem = "there is one passage, which cannot be divided into train and dev.";
  const split = await told("import", "one.csv", "--to", "t.json", "--split", "0.1");
  expect(split).toBe(`import: ${problem} Leave out --split.`);
  const remedy = "Give questions to measure by with --dev FILE.";
  expect(await told("new", "towns", "--train", "one.csv")).toBe(`new: ${problem} ${remedy}`);
  expect(await told("new", "towns", "--train", "none.csv")).toBe("new: none.csv does not exist.");
});

test("new refuses a seed where nothing is divided", async () => {
  const { code, stderr } = await bertqa(["new", "own", "--train", "a.csv", "--dev", "d.csv", "--seed", "7"]);
  expect([code, stderr]).toEqual([2, "error: --seed divides train, which --dev leaves whole\n"]);
});

test("import names bad rows, lists them in a file, and leaves them out on demand", async () => {
  await writeFile(
    join(workspace, "a.csv"),
    [...table, '"It is, it is.",What?,it is', '"It is, or is it?",What?,is'].join("\n"),
  );
  const refused = await bertqa(["import", "a.csv", "--to", "t.json"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    "import: 1 bad row: 1 × training question without an answer that stands in its passage.",
  );
  expect(await readFile(join(workspace, "t.json.problems.txt"), "utf8")).toContain(
    '(row 23): answer "is" has no position',
  );
  expect((await bertqa(["import", "a.csv", "--to", "t.json", "--skip-bad"])).code).toBe(0);
  expect(await readQuestions("t.json")).toHaveLength(21);
  // Mended: its list goes.
  await writeFile(join(workspace, "a.csv"), table.join("\n"));
  expect((await bertqa(["import", "a.csv", "--to", "t.json", "--force"])).code).toBe(0);
  expect((await readdir(workspace)).filter((name) => name.startsWith("t.json"))).toEqual(["t.json"]);
});

test("a path below a file and a fetch.json that is no JSON are told in one line", async () => {
  await writeFile(join(workspace, "a.csv"), table.join("\n"));
  const below = await bertqa(["import", "a.csv", "--to", "a.csv/t.json"]);
  expect([below.code, below.stderr.split("\n").at(-2)]).toEqual([
    1,
    expect.stringMatching(/^import: a\.csv\/t\.json cannot be written: E[A-Z]+\.$/),
  ]);
  await mkdir(join(workspace, "pipelines/bad"), { recursive: true });
  await writeFile(join(workspace, "pipelines/bad/fetch.json"), "{");
  const pinned = await bertqa(["pin", "bad"]);
  expect([pinned.code, pinned.stderr]).toEqual([
    1,
    expect.stringMatching(/^pin: pipelines\/bad\/fetch\.json is not valid JSON: .*\n$/),
  ]);
});

/** A workspace with nothing but the template of new pipelines, whose encoder lies on this machine. */
async function makeWorkspace(): Promise<void> {
  await writeFile(join(workspace, "nx.json"), "{}");
  await mkdir(join(workspace, "pipelines"));
  await cp(join(repository, "pipelines/own-data"), join(workspace, "pipelines/own-data"), { recursive: true });
  const encoder = join(workspace, "encoder");
  await cp(join(repository, "packages/tokenize/test/fixtures/encoder"), encoder, { recursive: true });
  await writeFile(join(encoder, "model.safetensors"), "stands for tensors: nobody reads them here");
}

test("new makes a pipeline of a table alone: data divided, limits from the data, a recipe for its size", async () => {
  await makeWorkspace();
  const question = `Who ${"really ".repeat(70)}knows?`;
  const lines = [...table, `"${passage(99)}",${question},1899`];
  await writeFile(join(workspace, "q.csv"), lines.join("\n"));
  const { code, stdout, stderr } = await bertqa(["new", "towns", "--train", "q.csv", "--encoder", "encoder"]);
  expect([code, stdout]).toEqual([0, "pipelines/towns\n"]);
  expect(stderr).toContain("% of the passages' tokens are unknown to the encoder");
  const options = async (stage: string, name = "towns") =>
    JSON.parse(await readFile(join(workspace, `pipelines/${name}/${stage}.json`), "utf8")) as Record<string, unknown>;
  expect((await options("fetch"))["dataset"]).toEqual({
    train: { sources: ["../../data/towns/train.json"] },
    dev: { sources: ["../../data/towns/dev.json"] },
  });
  // 72 words and a mark: more than the usual 64.
  expect((await options("tokenize"))["maxQuestionTokens"]).toBeGreaterThan(64);
  expect(await options("train")).toMatchObject({ epochs: 20, batchWindows: 8, learningRate: 2e-4 });
  const project = await readFile(join(workspace, "pipelines/towns/project.json"), "utf8");
  expect(project).toContain('"name": "towns"');
  expect(project).toContain("bertqa-fetch-fingerprint.mjs pipelines/towns");
  // The whole way to a model that answers.
  expect(stderr).toContain("next: npx nx run towns:export\n");
  const readme = await readFile(join(workspace, "pipelines/towns/README.md"), "utf8");
  expect(readme).toContain("npx nx run towns:export\nnpx bertqa serve --model artifacts/towns/export\n");
  expect(await check(readme, { parser: "markdown", printWidth: 120 })).toBe(true);
  const twice = await bertqa(["new", "towns", "--train", "q.csv"]);
  expect(twice.stderr).toBe("new: pipelines/towns is already there. Choose another name.\n");

  await writeFile(join(workspace, "gaps.csv"), [...table, `"${passage(99)}",Who sings?,`].join("\n"));
  await bertqa(["new", "gaps", "--train", "gaps.csv", "--encoder", "encoder"]);
  const forUnanswerable = async (name: string) => [
    (await options("tokenize", name))["madeUnanswerableShare"],
    (await options("train", name))["objective"],
    (await options("evaluate", name))["tuneArticles"],
  ];
  expect(await forUnanswerable("gaps")).toEqual([0.33, "answerability", "bothKinds"]);
  // What is set by hand in the pipeline that new ones are modelled on.
  expect(await forUnanswerable("own-data")).toEqual(await forUnanswerable("gaps"));
  expect(await forUnanswerable("towns")).toEqual([undefined, undefined, undefined]);

  const extra = join(repository, "pipelines/sample/corpus/train.json");
  const more = await bertqa(["new", "more", "--train", "q.csv", "--extra", extra, "--encoder", "encoder"]);
  expect(more.stderr).toContain("1,921 training questions, 1,902 of them extra: 10 epochs at 0.0002");
  expect((await options("fetch", "more"))["dataset"]).toMatchObject({
    train: { sources: ["../../data/more/train.json"] },
    extra: { sources: [relative(join(workspace, "pipelines/more"), extra)] },
  });
});

test("new with an encoder that is none is told in one line and leaves no data: the corrected command runs", async () => {
  await makeWorkspace();
  await writeFile(join(workspace, "q.csv"), table.join("\n"));
  const path = join(workspace, "encoder/config.json");
  const config = await readFile(path, "utf8");
  const begin = (encoder: string) => bertqa(["new", "towns", "--train", "q.csv", "--encoder", encoder]);
  const wrong = [
    [config.replace('"bert"', '"roberta"'), 'fetch: the encoder does not fit: config.json has model_type "roberta"'],
    [
      config.replace('"hidden_size"', '"width"'),
      "the encoder is not a BERT that can be trained: hidden_size: got nothing",
    ],
    ["{", "config.json cannot be read: "],
  ] as const;
  for (const [text, message] of wrong) {
    await writeFile(path, text);
    const { code, stderr } = await begin("encoder");
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n").at(-1)).toContain(message);
  }
  await writeFile(path, config);
  expect((await begin("encoder")).code).toBe(0);
});

test("pin fills sizes, sha256 and the commit of a branch, for an encoder and a dataset of the hub", async () => {
  await makeWorkspace();
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const files: Record<string, string> = {
    [`/api/models/me/bert/revision/main`]: JSON.stringify({ sha: commit }),
    [`/me/bert/resolve/${commit}/config.json`]: "{}",
    [`/me/bert/resolve/${commit}/vocab.txt`]: "[PAD]\n",
    [`/me/bert/resolve/${commit}/pytorch_model.bin`]: "weights",
    [`/datasets/me/qa/resolve/${commit}/dev.parquet`]: "PAR1",
  };
  const server = createServer((request, response) => {
    const content = files[request.url ?? ""];
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  cleanups.push(() => server.close());
  const HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const path = join(workspace, "pipelines/own-data/fetch.json");
  const dataset = (source: unknown) => ({ sources: [source], firstQuestions: 7 });
  const dev = { url: `hub:datasets/me/qa@${commit}/dev.parquet` };
  const $schema = "../schema/fetch.schema.json";
  await writeFile(
    path,
    JSON.stringify({
      $schema,
      dataset: { train: dataset("train.json"), dev: dataset(dev) },
      encoder: { sources: ["hub:me/bert@main"] },
    }),
  );
  const { code, stdout, stderr } = await bertqa(["pin", "own-data"], { HF_ENDPOINT });
  expect([stderr, code, stdout]).toEqual([expect.any(String), 0, "pipelines/own-data/fetch.json\n"]);
  const pinOf = (text: string) => ({ bytes: text.length, sha256: createHash("sha256").update(text).digest("hex") });
  const text = await readFile(path, "utf8");
  expect(JSON.parse(text)).toEqual({
    $schema,
    dataset: { train: dataset("train.json"), dev: dataset({ ...dev, ...pinOf("PAR1") }) },
    encoder: {
      sources: [`hub:me/bert@${commit}`],
      files: { "config.json": pinOf("{}"), "vocab.txt": pinOf("[PAD]\n"), "pytorch_model.bin": pinOf("weights") },
    },
  });
  // As it was but for the pins, and as prettier writes it: so it can be committed.
  expect(text.indexOf("$schema")).toBeLessThan(text.indexOf("dataset"));
  expect(await check(text, { parser: "json", printWidth: 120 })).toBe(true);
  expect(stderr).toContain("/vocab.txt: 6 B, sha256");
  expect(await readFile(join(workspace, "cache/downloads", pinOf("weights").sha256), "utf8")).toBe("weights");
});
