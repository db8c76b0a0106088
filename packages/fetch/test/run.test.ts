import { encoderFiles, openDataset, readSafetensors } from "@bertqa/core";
import { openQuestionFile } from "@bertqa/formats";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, renameSync } from "node:fs";
import { chmod, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { FetchEnvironment } from "../src/environment.ts";
import { pinFile } from "../src/pin.ts";
import { createFetchStage } from "../src/stage.ts";
import {
  devFile,
  bertConfig,
  encoderFolder,
  pinnedEncoder,
  pinOf,
  recordingReporter,
  repositoryFolder,
  resolveOptions,
  serve,
  squad,
  temporaryFolder,
  testEnvironment,
  trainFile,
  writeLocalPipeline,
} from "./support.ts";
import { runIn } from "../../../test/support/run-stage.ts";

const fetchWith = (environment: FetchEnvironment) => createFetchStage(() => environment);

async function fetchIn(folder: string, files: Readonly<Record<string, unknown>> = {}, artifacts = "artifacts") {
  const options = await writeLocalPipeline(folder, files);
  const reporter = recordingReporter();
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, artifacts) };
  const result = runIn(fetchWith(testEnvironment(folder)), options, folders, reporter);
  return { result, lines: reporter.lines, artifactsFolder: folders.artifactsFolder };
}

test("a local dataset and encoder become an artifact that core's reader opens", async () => {
  const folder = await temporaryFolder();
  const options = await writeLocalPipeline(folder);
  await chmod(join(folder, "encoder/vocab.txt"), 0o444);
  const reporter = recordingReporter();
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  const { folder: artifactFolder, manifest } = await runIn(
    fetchWith(testEnvironment(folder)),
    options,
    folders,
    reporter,
  );
  expect(manifest.counts).toEqual({
    ...{ trainArticles: 1, trainParagraphs: 1, trainQuestions: 2, trainUnanswerable: 1, trainSkipped: 0 },
    ...{ devArticles: 1, devParagraphs: 1, devQuestions: 2, devUnanswerable: 1, devSkipped: 0 },
  });
  expect(reporter.lines.slice(0, 2)).toEqual([
    "train: 1 article, 1 paragraph, 2 questions (1 unanswerable)",
    "dev: 1 article, 1 paragraph, 2 questions (1 unanswerable)",
  ]);
  const dataset = await openDataset("test", artifactFolder);
  expect((await dataset.questions("train")).map(({ id, answers }) => [id, answers])).toEqual([
    ["t-1", [{ text: "the Alps", startCodePoint: 19 }]],
    ["t-2", []],
  ]);
  const encoder = await dataset.encoderFolder();
  expect((await stat(join(encoder, "vocab.txt"))).mode & 0o777).toBe(0o644);
  expect((await readdir(encoder)).sort()).toEqual([...Object.keys(encoderFolder), "tokenizer_config.json"].sort());
  expect(await readFile(join(encoder, "vocab.txt"), "utf8")).toBe(encoderFolder["vocab.txt"]);
});

test("equal inputs give equal bytes, and so do equal rows in another layout", async () => {
  const folder = await temporaryFolder();
  const first = await (await fetchIn(folder)).result;
  const manifest = await readFile(join(first.folder, "manifest.json"), "utf8");
  const again = await (await fetchIn(folder, {}, "again")).result;
  expect(await readFile(join(again.folder, "manifest.json"), "utf8")).toBe(manifest);
  // A byte order mark, white space and a key of someone's own carry no row.
  const spaced = `\uFEFF${JSON.stringify({ ...trainFile, license: "CC0" }, null, 4)}`;
  const other = await (await fetchIn(folder, { "train.json": spaced }, "other")).result;
  expect(other.manifest.contentSha256).toBe(first.manifest.contentSha256);
});

test("a sanity set is a third file, checked as dev is; train.json and dev.json are what they are without it", async () => {
  const folder = await temporaryFolder();
  const without = await (await fetchIn(folder)).result;
  const split = (name: string) => ({ sources: [name] });
  const dataset = { train: split("train.json"), dev: split("dev.json"), sanity: split("sanity.json") };
  const options = { dataset, encoder: { sources: ["encoder"] } };
  const run = await fetchIn(folder, { "fetch.json": options, "sanity.json": devFile }, "with");
  const artifact = await run.result;
  expect(run.lines).toContain("sanity: 1 article, 1 paragraph, 2 questions (1 unanswerable)");
  const opened = await openDataset("test", artifact.folder);
  expect([opened.has("sanity"), (await openDataset("test", without.folder)).has("sanity")]).toEqual([true, false]);
  expect((await opened.questions("sanity")).map(({ id }) => id)).toEqual(["d-1", "d-2"]);
  const others = artifact.manifest.files.filter(({ path }) => path !== "sanity.json");
  expect(others).toEqual(without.manifest.files);
  const twice = { data: [...devFile.data, ...devFile.data] };
  const bad = fetchIn(folder, { "fetch.json": options, "sanity.json": twice }, "bad");
  await expect((await bad).result).rejects.toThrow("fetch: 2 bad rows in the dataset: 2 × dev id that comes twice");
});

test("extra questions are a file of their own beside train, checked as train is", async () => {
  const folder = await temporaryFolder();
  const without = await (await fetchIn(folder)).result;
  const split = (name: string) => ({ sources: [name] });
  const dataset = { train: split("train.json"), dev: split("dev.json"), extra: split("extra.json") };
  const options = { dataset, encoder: { sources: ["encoder"] } };
  const run = await fetchIn(folder, { "fetch.json": options, "extra.json": trainFile }, "with");
  const artifact = await run.result;
  const opened = await openDataset("test", artifact.folder);
  expect(await opened.questions("extra")).toEqual(await opened.questions("train"));
  expect(artifact.manifest.files.filter(({ path }) => path !== "extra.json")).toEqual(without.manifest.files);
  const unlabelled = squad("The Rhine rises in the Alps.", [{ id: "x-1", question: "Where?" }]);
  const bad = fetchIn(folder, { "fetch.json": options, "extra.json": unlabelled }, "bad");
  await expect((await bad).result).rejects.toThrow(
    "fetch: 1 bad row in the dataset: 1 × training question without an answer",
  );
});

describe("a local file that was changed after Nx had started is refused: Nx would keep the result as that of before", () => {
  const refusal = "Run the command again: what was made comes from the cache.";

  /** Fetches as for an Nx that started with this process, when no file of the test was there. */
  async function fetchForNx(folder: string, options: object, onLine: () => void = () => {}) {
    await writeFile(join(folder, "nx.json"), "{}");
    vi.stubEnv("NX_TASK_HASH", "123");
    vi.stubEnv("NX_INVOCATION_ANCESTOR_PIDS", String(process.pid));
    onTestFinished(() => void vi.unstubAllEnvs());
    const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
    return runIn(fetchWith(testEnvironment(folder)), options, folders, { ...recordingReporter(), line: onLine });
  }

  test.each(["train.json", "encoder/config.json"])("%s, before the stage began", async (name) => {
    const folder = await temporaryFolder();
    const options = await writeLocalPipeline(folder);
    for (const each of ["train.json", "dev.json", "encoder"])
      if (!name.startsWith(each)) await rm(join(folder, each), { recursive: true });
    await expect(fetchForNx(folder, options)).rejects.toThrow(`${refusal} (${join(folder, name)})`);
  });

  test("the encoder, while the stage read the questions", async () => {
    const folder = await temporaryFolder();
    const { encoder } = await writeLocalPipeline(folder);
    await rename(join(folder, "encoder"), join(folder, "later"));
    const own = (name: string) => ({ sources: [join(repositoryFolder, "pipelines", name)] });
    const dataset = { train: own("sample/corpus/train.json"), dev: own("sanity/sanity.json") };
    const options = resolveOptions({ dataset, encoder });
    const change = () =>
      void (existsSync(join(folder, "later")) && renameSync(join(folder, "later"), join(folder, "encoder")));
    await expect(fetchForNx(folder, options, change)).rejects.toThrow(`${refusal} (${join(folder, "encoder")}/`);
    expect(await readdir(join(folder, "artifacts"))).toEqual([]);
  });
});

test("one bad row fails the stage: each is listed, the error sums them up, no artifact is left", async () => {
  const folder = await temporaryFolder();
  const bad = squad("The Rhine rises in the Alps.", [
    { id: "a", question: "Where?", answers: [{ text: "the Andes", answer_start: 18 }] },
    { id: "b", question: "", answers: [{ text: "the Alps", answer_start: 19 }] },
  ]);
  const { result, lines, artifactsFolder } = await fetchIn(folder, { "train.json": bad });
  await expect(result).rejects.toThrow(
    "fetch: 2 bad rows in the dataset: 1 × empty text, 1 × training question without an answer that stands in its passage. " +
      `Fix these rows, all listed in ${artifactsFolder}/fetch.log/problems.txt, or set onInvalid to "skip", which leaves them out and counts them. (${folder}/fetch.json)`,
  );
  expect(lines).toEqual([
    'train: question "b" of "Rivers" (data[0].paragraphs[0].qas[1]): the question is empty',
    expect.stringContaining('question "a" of "Rivers" (data[0].paragraphs[0].qas[0]): answer "the Andes" differs'),
  ]);
  expect(await readdir(artifactsFolder)).toEqual(["fetch.log"]);
  expect(await readFile(join(artifactsFolder, "fetch.log/problems.txt"), "utf8")).toBe(`${lines.join("\n")}\n`);
});

test('onInvalid "skip" leaves bad rows out and counts them by reason', async () => {
  const folder = await temporaryFolder();
  const [good] = squad("The Rhine rises in the Alps.", [
    { id: "a", question: "Where?", answers: [{ text: "the Andes", answer_start: 18 }] },
    { id: "b", question: "Where?", answers: [{ text: "the Alps", answer_start: 19 }] },
  ]).data;
  const options = {
    dataset: { train: { sources: ["train.json"] }, dev: { sources: ["dev.json"] } },
    onInvalid: "skip",
    encoder: { sources: ["encoder"] },
  };
  const { result, lines } = await fetchIn(folder, { "fetch.json": options, "train.json": { data: [good] } });
  const { manifest, folder: artifactFolder } = await result;
  expect(manifest.counts).toMatchObject({ trainQuestions: 1, trainSkipped: 1, trainSkippedUnusableAnswer: 1 });
  expect(lines).toContain("train: 1 article, 1 paragraph, 1 question (0 unanswerable) · 1 bad row left out");
  expect((await (await openDataset("test", artifactFolder)).questions("train")).map(({ id }) => id)).toEqual(["b"]);
});

test("firstQuestions keeps a part", async () => {
  const folder = await temporaryFolder();
  const options = {
    dataset: { train: { sources: ["train.json"], firstQuestions: 1 }, dev: { sources: ["dev.json"] } },
    encoder: { sources: ["encoder"] },
  };
  const { manifest } = await (await fetchIn(folder, { "fetch.json": options })).result;
  expect(manifest.counts).toMatchObject({ trainQuestions: 1, devQuestions: 2 });
});

test("draw keeps a part by seed, and of train alone where only train says so", async () => {
  const folder = await temporaryFolder();
  const contexts = ["The Rhine rises in the Alps.", "The Ems is a river.", "Bonn lies on the Rhine."];
  const unanswerable = (id: string) => ({ id, question: "What?", answers: [], is_impossible: true });
  const train = { data: contexts.flatMap((context, i) => squad(context, [unanswerable(`q${i}`)]).data) };
  const drawn = async (seed: number) => {
    const options = {
      dataset: { train: { sources: ["train.json"], draw: { questions: 1, seed } }, dev: { sources: ["dev.json"] } },
      encoder: { sources: ["encoder"] },
    };
    const files = { "fetch.json": options, "train.json": train };
    const { folder: artifact, manifest } = await (await fetchIn(folder, files)).result;
    expect(manifest.counts).toMatchObject({ trainQuestions: 1, devQuestions: 2 });
    return (await (await openDataset("test", artifact)).questions("train")).map(({ id }) => id);
  };
  const ids = [await drawn(1), await drawn(2), await drawn(3), await drawn(4)];
  expect(new Set(ids.flat()).size).toBeGreaterThan(1);
  expect(await drawn(1)).toEqual(ids[0]);
});

test.each([
  ["train.json", '{"data": [', /^fetch: .*train.json is not valid JSON: .*\. Fix the file/],
  ["train.json", Buffer.from([0x22, 0xff, 0x22]), /train.json is not UTF-8/],
  ["train.json", "[]", /^fetch: train holds no question/],
  ["train.json", "{}", /train.json is not in a known layout: got an object, expected an object with a list "data"/],
  ["train.json", '{"rows": []}', /is not in a known layout: got an object with rows/],
  ["dev.json", '{"data": []}', /^fetch: dev holds no question/],
  ["encoder/config.json", '{"model_type": "roberta", "vocab_size": 3}', /model_type "roberta", expected "bert"/],
  [
    "encoder/config.json",
    '{"model_type": "bert", "vocab_size": 2}',
    /token ids up to 2, but config.json has vocab_size 2/,
  ],
  [
    "encoder/config.json",
    '{"model_type": "bert", "vocab_size": 3}',
    /^fetch: the encoder is not a BERT that can be trained: hidden_size: got nothing, expected number/,
  ],
  [
    "encoder/config.json",
    bertConfig(3, { max_position_embeddings: undefined }),
    /max_position_embeddings: got nothing/,
  ],
  ["encoder/config.json", bertConfig(3, { type_vocab_size: 1 }), /type_vocab_size: got 1, .*>=2.*own architecture/],
  ["encoder/config.json", "[".repeat(20_000), /config.json cannot be read: brackets nest deeper than 100/],
  ["encoder/tokenizer.json", '{"model": {}}', /tokenizer.json breaks its schema: model.vocab/],
  [
    // As of paraphrase-multilingual-MiniLM-L12-v2 and multilingual-e5.
    "encoder/tokenizer.json",
    '{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁the", -3.5]]}}',
    /^fetch: the encoder does not fit: tokenizer.json has a model of type "Unigram", expected "WordPiece"\. Take/,
  ],
  [
    "encoder/model.safetensors",
    "version https://git-lfs.github.com/spec/v1\noid sha256:53aa5117\nsize 90868376\n",
    /model.safetensors is a pointer of Git LFS, not the file itself\. Run git lfs pull where it was cloned, or take/,
  ],
])("a bad %s (%s) is refused by name, and no artifact is left", async (name, text, message) => {
  const folder = await temporaryFolder();
  const { result, artifactsFolder } = await fetchIn(folder, { [name]: text });
  await expect(result).rejects.toThrow(message);
  expect(await readdir(artifactsFolder)).toEqual([]);
});

test("an address that gives a pointer of Git LFS is not pinned", async () => {
  const folder = await temporaryFolder();
  const address = await serve((_, response) => void response.end("version https://git-lfs.github.com/spec/v1\n"));
  const environment = testEnvironment(folder);
  const context = { pipelineFolder: folder, hubEndpoint: address, environment, reporter: recordingReporter() };
  await expect(pinFile(`${address}/raw/dev.parquet`, context)).rejects.toThrow(
    /^pin: http.*\/raw\/dev.parquet is a pointer of Git LFS, not the file itself\. Run git lfs pull/,
  );
});

test("a draw of more questions than there are is refused with both numbers; as a limit, firstQuestions is a note", async () => {
  const folder = await temporaryFolder();
  const optionsWith = (part: object) => ({
    dataset: { train: { sources: ["train.json"], ...part }, dev: { sources: ["dev.json"] } },
    encoder: { sources: ["encoder"] },
  });
  // Both files have 2 questions.
  const fetching = async (part: object) => fetchIn(folder, { "fetch.json": optionsWith(part) });
  const more = await fetching({ draw: { questions: 3 } });
  await expect(more.result).rejects.toThrow(
    "fetch: 3 questions of train were to be drawn, there are 2. Draw fewer, or leave out draw to take all.",
  );
  const ofFirst = await fetching({ firstQuestions: 1, draw: { questions: 2 } });
  await expect(ofFirst.result).rejects.toThrow("2 questions of train were to be drawn, there are 1.");
  const all = await fetching({ draw: { questions: 2 } });
  expect((await all.result).manifest.counts).toMatchObject({ trainQuestions: 2 });
  const limited = await fetching({ firstQuestions: 3000 });
  await limited.result;
  expect(limited.lines).toContain("note: train: its file has 2 questions, fewer than firstQuestions 3,000");
});

test("an encoder with vocab.txt and pytorch_model.bin alone gets tokenizer.json and model.safetensors", async () => {
  const folder = await temporaryFolder();
  const fixture = (name: string) => readFile(join(import.meta.dirname, "fixtures", name));
  const options = await writeLocalPipeline(folder, {
    "encoder/config.json": bertConfig(15),
    "encoder/vocab.txt": await fixture("vocab.txt"),
    "encoder/tokenizer_config.json": JSON.stringify({ do_lower_case: false }),
    "encoder/pytorch_model.bin": await fixture("zip.bin"),
  });
  for (const name of ["tokenizer.json", "model.safetensors"]) await rm(join(folder, "encoder", name));
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  const { folder: artifactFolder } = await runIn(fetchWith(testEnvironment(folder)), options, folders);
  const tensors = await readSafetensors(join(artifactFolder, "encoder/model.safetensors"), "test");
  expect(tensors.get("view")?.data).toEqual(Float32Array.of(2, 3, 4));
  const made = await readFile(join(artifactFolder, "encoder/tokenizer.json"), "utf8");
  expect(made).toBe((await fixture("tokenizer-cased.json")).toString());
});

test("a cased vocabulary that ships alone is cased in Python too, and read by transformers.js", async () => {
  const folder = await temporaryFolder();
  const options = await writeLocalPipeline(folder, {
    "encoder/config.json": bertConfig(15),
    "encoder/vocab.txt": await readFile(join(import.meta.dirname, "fixtures/vocab.txt")),
  });
  await rm(join(folder, "encoder/tokenizer.json"));
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  const reporter = recordingReporter();
  const { folder: artifactFolder } = await runIn(fetchWith(testEnvironment(folder)), options, folders, reporter);
  const config = await readFile(join(artifactFolder, "encoder/tokenizer_config.json"), "utf8");
  // Python's defaults are the other way, and transformers.js has none.
  expect(JSON.parse(config)).toEqual({
    ...{ tokenizer_class: "BertTokenizer", do_lower_case: false, strip_accents: null, tokenize_chinese_chars: true },
    ...{ unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" },
    // The encoder's positions: Python knows no limit without it.
    model_max_length: 16,
  });
  expect(reporter.lines.join("\n")).toContain("tokenizer.json made from vocab.txt, cased as its vocabulary says");
});

test("where tokenizer_config.json contradicts tokenizer.json, the latter wins; one that says the same stays byte for byte", async () => {
  const folder = await temporaryFolder();
  const tokenizer = await readFile(join(import.meta.dirname, "fixtures/tokenizer-cased.json"), "utf8");
  const tokens = { unk_token: "[UNK]", sep_token: { content: "[SEP]", lstrip: false }, pad_token: "[PAD]" };
  const named = { ...tokens, cls_token: "[CLS]", mask_token: "[MASK]", tokenizer_class: "BertTokenizerFast" };
  const written = async (config: object) => {
    const options = await writeLocalPipeline(folder, {
      "encoder/config.json": bertConfig(15),
      "encoder/tokenizer.json": tokenizer,
      "encoder/tokenizer_config.json": JSON.stringify(config),
    });
    const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
    const { folder: artifactFolder } = await runIn(fetchWith(testEnvironment(folder)), options, folders);
    return readFile(join(artifactFolder, "encoder/tokenizer_config.json"), "utf8");
  };
  const agreeing = { ...named, do_lower_case: false, model_max_length: 12 };
  expect(await written(agreeing)).toBe(JSON.stringify(agreeing));
  // More than the encoder's 16 positions; Python writes 1e30 for no limit.
  expect(JSON.parse(await written({ ...agreeing, model_max_length: 1e30 }))).toMatchObject({ model_max_length: 16 });
  const { model_max_length: _length, ...unlimited } = agreeing;
  expect(JSON.parse(await written({ ...unlimited, max_len: 8 }))).toMatchObject({ model_max_length: 8 });
  // By default Python lower-cases.
  const { do_lower_case: _absent, ...silent } = agreeing;
  expect(JSON.parse(await written(silent))).toEqual(agreeing);
  const contradicting = { ...agreeing, do_lower_case: true, strip_accents: true, tokenize_chinese_chars: false };
  expect(JSON.parse(await written(contradicting))).toEqual({
    ...agreeing,
    ...{ strip_accents: null, tokenize_chinese_chars: true },
  });
});

test("a pinned file that is swapped after its check is refused", async () => {
  const folder = await temporaryFolder();
  const content = Buffer.from(JSON.stringify(trainFile));
  await writeFile(join(folder, "file"), content);
  await expect(openQuestionFile("fetch", join(folder, "file"), { sha256: pinOf("other").sha256 })).rejects.toThrow(
    "changed since it was checked",
  );
});

test("a missing local file says where it was looked for, and what to do", async () => {
  const folder = await temporaryFolder();
  const options = await writeLocalPipeline(folder);
  await rm(join(folder, "train.json"));
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  await expect(runIn(fetchWith(testEnvironment(folder)), options, folders)).rejects.toThrow(
    `fetch: cannot get train from train.json: ${folder}/train.json does not exist. ` +
      `Put the file there, or change dataset.train.sources. (${folder}/fetch.json)`,
  );
  await rm(join(folder, "encoder/tokenizer.json"));
  await rm(join(folder, "encoder/vocab.txt"));
  await writeFile(join(folder, "train.json"), JSON.stringify(trainFile));
  await expect(runIn(fetchWith(testEnvironment(folder)), options, folders)).rejects.toThrow(
    `cannot get the encoder from encoder: encoder has no tokenizer.json or vocab.txt`,
  );
});

test("a second pipeline takes the encoder of the first from the download cache", async () => {
  const folder = await temporaryFolder();
  const asked: string[] = [];
  const origin = await serve((request, response) => {
    asked.push(request.url ?? "");
    response.end(encoderFolder[(request.url ?? "").split("/").at(-1) ?? ""]);
  });
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const options = {
    dataset: { train: { sources: ["train.json"] }, dev: { sources: ["dev.json"] } },
    encoder: { files: pinnedEncoder, sources: [`hub:me/bert@${commit}`] },
  };
  const environment = testEnvironment(folder, { HF_ENDPOINT: `${origin}/` });
  for (const artifacts of ["first", "second"]) {
    const resolved = await writeLocalPipeline(folder, { "fetch.json": options });
    const folders = { pipelineFolder: folder, artifactsFolder: join(folder, artifacts) };
    const { manifest } = await runIn(fetchWith(environment), resolved, folders);
    expect(manifest.files.find((file) => file.path === "encoder/vocab.txt")).toMatchObject(
      pinOf(encoderFolder["vocab.txt"] as string),
    );
  }
  const names = encoderFiles.filter((name) => name in encoderFolder);
  expect(asked).toEqual(names.map((name) => `/me/bert/resolve/${commit}/${name}`));
});

function startCommand(folder: string, variables: NodeJS.ProcessEnv = {}) {
  const bin = join(repositoryFolder, "packages/bertqa/bin/bertqa.mjs");
  const env = { PATH: process.env["PATH"], BERTQA_CACHE: join(folder, "cache"), ...variables };
  const child = spawn(process.execPath, [bin, "stage", "fetch", folder], { env });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  return { child, said, ended };
}

test("the command prints the artifact's path on stdout, and for a bad input one line and exit code 1", async () => {
  const folder = await temporaryFolder();
  await writeLocalPipeline(folder);
  const good = startCommand(folder);
  expect(await good.ended).toBe(0);
  expect(good.said.stdout).toBe(`${join(folder, "artifacts", basename(folder), "fetch")}\n`);

  const other = await temporaryFolder();
  await writeLocalPipeline(other, { "dev.json": "{" });
  const bad = startCommand(other);
  expect(await bad.ended).toBe(1);
  expect(bad.said.stdout).toBe("");
  expect(bad.said.stderr).toMatch(/^fetch: .*dev.json is not valid JSON.*\n$/);
});

test.skipIf(process.platform === "win32")("with umask 077 nobody else may read the artifact", async () => {
  const folder = await temporaryFolder();
  await writeLocalPipeline(folder);
  for (const name of Object.keys(encoderFolder)) await chmod(join(folder, "encoder", name), 0o444);
  const bin = join(repositoryFolder, "packages/bertqa/bin/bertqa.mjs");
  const command = ["sh", process.execPath, bin, "stage", "fetch", folder];
  const { status, stdout } = spawnSync("sh", ["-c", 'umask 077; exec "$@"', ...command], { encoding: "utf8" });
  expect(status).toBe(0);
  const names = await readdir(stdout.trim(), { recursive: true });
  for (const name of names) expect((await stat(join(stdout.trim(), name))).mode & 0o277, name).toBe(0o200);
});

test("Ctrl-C in the middle of a download leaves no artifact, and the next run continues the download", async () => {
  const folder = await temporaryFolder();
  const content = JSON.stringify(devFile);
  const ranges: (string | undefined)[] = [];
  const half = Math.floor(content.length / 2);
  const origin = await serve((request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    if (!range) return void response.writeHead(200, { "content-length": content.length }).write(content.slice(0, half));
    const start = Number(range.slice("bytes=".length, -1));
    const headers = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(206, headers).end(content.slice(start));
  });
  const dev = { sources: [{ url: `${origin}/dev.json`, ...pinOf(content) }] };
  const dataset = { train: { sources: ["train.json"] }, dev };
  await writeLocalPipeline(folder, { "fetch.json": { dataset, encoder: { sources: ["encoder"] } } });

  const first = startCommand(folder);
  const downloads = join(folder, "cache/downloads");
  await until(async () => {
    const part = (await readdir(downloads).catch(() => [])).find((name) => name.includes(".part-"));
    return part !== undefined && (await readFile(join(downloads, part))).length === half;
  });
  first.child.kill("SIGINT");
  expect(await first.ended).toBe(130);
  expect(existsSync(join(folder, "artifacts", basename(folder), "fetch"))).toBe(false);

  const second = startCommand(folder);
  expect(await second.ended).toBe(0);
  expect(ranges).toEqual([undefined, `bytes=${half}-`]);
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
