import { openWindows, silentReporter, type Reporter, type SquadFile } from "@bertqa/core";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { tokenizeStage, tokenizeOptionsSchema } from "../src/index.ts";
import { fixture, fixtureEncoder, hardCases, pipelineWith, readWindows, sampleCorpus, squadFile } from "./helpers.ts";
import { runIn, type TestFolders } from "../../../test/support/run-stage.ts";

const bin = join(import.meta.dirname, "../../bertqa/bin/bertqa.mjs");
const optionsOf = (options: Record<string, unknown> = {}) => tokenizeOptionsSchema.parse(options);
const sample = () => ({ train: squadFile(sampleCorpus("train")), dev: squadFile(sampleCorpus("dev")) });
const hard = () => ({ train: hardCases(), dev: hardCases() });

/** A reporter that keeps its lines. */
function recorder(): Reporter & { readonly lines: string[] } {
  const lines: string[] = [];
  return { ...silentReporter, lines, line: (text) => lines.push(text) };
}

async function refusal(folders: TestFolders, options: Record<string, unknown> = {}): Promise<string> {
  const failure = await runIn(tokenizeStage, optionsOf(options), folders).then(
    () => "",
    (error: Error) => error.message,
  );
  expect((await readdir(folders.artifactsFolder)).filter((name) => name !== "fetch")).toEqual([]);
  return failure;
}

describe("the artifact", () => {
  test("has every question once in train, tune and dev, in the file's order, with its windows counted", async () => {
    const data = sample();
    const folders = await pipelineWith(data);
    const { folder, manifest } = await runIn(tokenizeStage, optionsOf({ windowsPerShard: 300 }), folders);
    const windows = await openWindows("test", folder);
    const idsOf = (file: SquadFile) => file.data.flatMap((a) => a.paragraphs.flatMap((p) => p.qas.map(({ id }) => id)));
    const [train, tune, dev] = await Promise.all([
      readWindows(windows, "train"),
      readWindows(windows, "tune"),
      readWindows(windows, "dev"),
    ]);
    const firsts = (rows: typeof train) => rows.filter(({ windowIndex }) => windowIndex === 0).map(({ id }) => id);
    expect(firsts(dev)).toEqual(idsOf(data.dev));
    const tuneIds = new Set(firsts(tune));
    expect(firsts(train)).toEqual(idsOf(data.train).filter((id) => !tuneIds.has(id)));
    for (const [split, rows] of Object.entries({ train, tune, dev })) {
      expect(manifest.counts[`${split}.windows`]).toBe(rows.length);
      expect(manifest.counts[`${split}.questions`]).toBe(firsts(rows).length);
      expect(manifest.counts[`${split}.tokens`]).toBe(rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0));
      expect(manifest.counts[`${split}.longestWindow`]).toBe(Math.max(...rows.map(({ inputIds }) => inputIds.length)));
      expect(manifest.counts[`${split}.windowsWithoutAnswer`]).toBe(
        rows.filter(({ startPosition }) => startPosition === 0).length,
      );
    }
    expect(windows.shardCount("train")).toBeGreaterThan(1);
    expect(manifest.counts["tune.questions"]).toBeGreaterThan(0);
  });

  test("a sanity set has windows of its own, and those of train, tune and dev are the same bytes without it", async () => {
    const files = async (data: Parameters<typeof pipelineWith>[0]) => {
      const { folder, manifest } = await runIn(tokenizeStage, optionsOf(), await pipelineWith(data));
      return { folder, manifest, shards: manifest.files.filter(({ path }) => path.endsWith(".arrow")) };
    };
    const [without, given] = [await files(sample()), await files({ ...sample(), sanity: hardCases() })];
    expect(given.shards.filter(({ path }) => !path.startsWith("sanity-"))).toEqual(without.shards);
    const rows = await readWindows(await openWindows("test", given.folder), "sanity");
    const ids = hardCases().data.flatMap((a) => a.paragraphs.flatMap((p) => p.qas.map(({ id }) => id)));
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(ids));
    expect(given.manifest.counts).toMatchObject({ ...without.manifest.counts, "sanity.questions": ids.length });
    const listed = await readFile(join(without.folder, "unmatched-answers.json"), "utf8");
    expect(`${JSON.stringify(without.manifest.counts)}${listed}`).not.toContain("sanity");
  });

  test("extra questions are learned after train's own; none is held out, none made, and tune and dev are the same bytes", async () => {
    const files = async (data: Parameters<typeof pipelineWith>[0]) => {
      const options = optionsOf({ madeUnanswerableShare: 0.5 });
      const { folder, manifest } = await runIn(tokenizeStage, options, await pipelineWith(data));
      const ids = (await readWindows(await openWindows("test", folder), "train")).map(({ id }) => id);
      return {
        manifest,
        ids: [...new Set(ids)],
        shards: manifest.files.filter(({ path }) => /^(tune|dev)-/.test(path)),
      };
    };
    const [without, given] = [await files(sample()), await files({ ...sample(), extra: hardCases() })];
    const extraIds = hardCases().data.flatMap((a) => a.paragraphs.flatMap((p) => p.qas.map(({ id }) => id)));
    expect(given.ids).toEqual([...without.ids, ...extraIds]);
    expect(given.shards).toEqual(without.shards);
    expect(given.manifest.counts["train.extraQuestions"]).toBe(extraIds.length);
    expect(without.manifest.counts["train.madeUnanswerable"]).toBeGreaterThan(0);
    expect(given.manifest.counts["train.madeUnanswerable"]).toBe(without.manifest.counts["train.madeUnanswerable"]);
  });

  test("an unanswerable question's plausible answer has columns of its own, and its label stays no answer", async () => {
    const data = sample();
    const { folder, manifest } = await runIn(tokenizeStage, optionsOf(), await pipelineWith(data));
    const questions = new Map(
      data.train.data.flatMap((a) => a.paragraphs.flatMap((p) => p.qas.map((qa) => [qa.id, { ...qa, ...p }] as const))),
    );
    const rows = await readWindows(await openWindows("test", folder), "train");
    // The fixture's tokenizer knows few words: a passage may need two windows, and one of them may hold no span.
    const labelled = rows.filter(({ plausiblePositions }) => plausiblePositions[0] > 0);
    for (const { id, contextFirstToken, starts, ends, startPosition, plausiblePositions } of labelled) {
      const { context, plausible_answers } = questions.get(id)!;
      const [first, last] = plausiblePositions.map((position) => position - contextFirstToken) as [number, number];
      expect([...context].slice(starts[first], ends[last]).join("")).toBe(plausible_answers![0]!.text);
      expect(startPosition).toBe(0);
    }
    const withSpan = rows.filter(({ id }) => questions.get(id)!.plausible_answers).map(({ id }) => id);
    expect(new Set(labelled.map(({ id }) => id))).toEqual(new Set(withSpan));
    expect(manifest.counts["train.plausibleAnswers"]).toBe(new Set(withSpan).size);
    expect(manifest.counts["train.plausibleAnswers"]).toBeGreaterThan(100);
  });

  test("copies the tokenizer's files as shipped, and no other file of the encoder", async () => {
    const { folder } = await runIn(tokenizeStage, optionsOf(), await pipelineWith(hard()));
    const names = ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];
    expect((await readdir(join(folder, "tokenizer"))).sort()).toEqual(names);
    for (const name of names) {
      expect(await readFile(join(folder, "tokenizer", name))).toEqual(readFileSync(join(fixtureEncoder, name)));
    }
  });

  test("lists the answers that do not fall on token borders", async () => {
    const { folder, manifest } = await runIn(
      tokenizeStage,
      optionsOf({ tuneShare: 0 }),
      await pipelineWith(hard()),
      silentReporter,
    );
    const listed = JSON.parse(await readFile(join(folder, "unmatched-answers.json"), "utf8")) as Record<
      string,
      unknown[]
    >;
    expect(listed["train"]).toEqual([
      // Its last letter is inside the word piece "##an".
      { questionId: "answer-inside-word", answer: "Australia", tokenText: "Australian" },
    ]);
    expect(manifest.counts["train.unmatchedAnswers"]).toBe(listed["train"]?.length);
  });

  test("its options leave out the number of threads, which decides no byte", async () => {
    const { manifest } = await runIn(tokenizeStage, optionsOf(), await pipelineWith(hard()));
    expect(Object.keys(manifest.options)).not.toContain("workers");
    expect(manifest.versions).toEqual({ tokenizers: expect.stringMatching(/^0\./) as string });
  });
});

describe("limits", () => {
  test("a question beyond maxQuestionTokens is cut, and counted, not refused", async () => {
    const folders = await pipelineWith(hard());
    const reporter = recorder();
    const { folder, manifest } = await runIn(
      tokenizeStage,
      optionsOf({ maxQuestionTokens: 2, tuneShare: 0 }),
      folders,
      reporter,
    );
    const windows = await readWindows(await openWindows("test", folder), "train");
    // [CLS], two tokens of the question, [SEP].
    expect(new Set(windows.map(({ contextFirstToken }) => contextFirstToken))).toEqual(new Set([3, 4]));
    const cut =
      (manifest.counts["train.cappedQuestions"] as number) + (manifest.counts["dev.cappedQuestions"] as number);
    expect(reporter.lines).toContain(`warning: ${cut} questions cut to 2 tokens`);
  });

  test("an overlap without room for the longest question is refused, with the numbers", async () => {
    const folders = await pipelineWith(hard());
    expect(await refusal(folders, { maxTokens: 48, windowOverlapTokens: 40 })).toMatch(
      /^tokenize: question "[\w-]+" leaves no room to move: window 48 − (\d+) question − 3 special = (\d+) context tokens, but windowOverlapTokens is 40\. Set windowOverlapTokens below \2\. \(.*tokenize\.json\)$/,
    );
    expect(await refusal(folders, { maxTokens: 8, windowOverlapTokens: 0 })).toContain("Set maxTokens higher");
  });

  test("maxTokens above the encoder's positions is refused", async () => {
    const message = await refusal(await pipelineWith(hard()), { maxTokens: 600 });
    expect(message).toContain(
      "tokenize: maxTokens is 600, but the encoder has 512 positions. Set maxTokens to 512 or less.",
    );
  });

  test("a single train article cannot be split: tune stays empty, and the stage says so", async () => {
    const data = hard();
    const one = { ...data.train, data: data.train.data.slice(0, 1) };
    const reporter = recorder();
    const { manifest } = await runIn(
      tokenizeStage,
      optionsOf(),
      await pipelineWith({ train: one, dev: data.dev }),
      reporter,
    );
    expect(manifest.counts).toMatchObject({ "tune.questions": 0, "tune.articles": 0, "train.articles": 1 });
    expect(reporter.lines).toContain("warning: train has 1 article, too few to hold one out: tune stays empty");
  });

  test("a script that the encoder does not know, and a passage of dev that is in train too, are warned of", async () => {
    const context = "ⵜⴰⵎⴰⵣⵉⵖⵜ ⵜⵓⵜⵍⴰⵢⵜ";
    const qas = ["a", "b"].map((id) => ({ id, question: "ⵎⴰⵜⵜⴰ?", answers: [], is_impossible: true }));
    const file = (id: number) => ({ data: [{ title: "T", paragraphs: [{ context, qas: qas.slice(id, id + 1) }] }] });
    const reporter = recorder();
    await runIn(tokenizeStage, optionsOf(), await pipelineWith({ train: file(0), dev: file(1) }), reporter);
    expect(reporter.lines).toContain("warning: 1 passage of dev in train too");
    // Three words and a question mark in each of two windows: 6 of 8 tokens.
    expect(reporter.lines).toContain("warning: 75 % of the tokens are [UNK]: choose an encoder that knows this script");
  });

  test("an unknown or impossible option is refused", () => {
    expect(() => optionsOf({ stride: 128 })).toThrow("Unrecognized key");
    expect(() => optionsOf({ tuneShare: 0.6 })).toThrow();
  });
});

describe("bad input is refused by name, and leaves no artifact", () => {
  test("no dataset, one that was cut short, one of another kind", async () => {
    const missing = await pipelineWith(hard());
    await rm(join(missing.artifactsFolder, "fetch"), { recursive: true });
    expect(await refusal(missing)).toContain("there is no dataset artifact");
    const short = await pipelineWith(hard());
    await truncate(join(short.artifactsFolder, "fetch/train.json"), 100);
    expect(await refusal(short)).toContain("train.json has 100 bytes, its manifest says");
    const other = await pipelineWith(hard());
    const manifest = join(other.artifactsFolder, "fetch/manifest.json");
    const written = JSON.parse(await readFile(manifest, "utf8")) as object;
    await writeFile(manifest, JSON.stringify({ ...written, kind: "windows", manifestSha256: undefined }));
    expect(await refusal(other)).toContain('got an artifact of kind "windows", expected "dataset"');
  });

  test("an encoder without tokenizer.json, or whose vocabulary is another's", async () => {
    const without = await pipelineWith(hard(), await encoderWith({ "config.json": fixture("encoder/config.json") }));
    expect(await refusal(without)).toContain("the encoder has no tokenizer.json");
    const config = { ...(fixture("encoder/config.json") as object), vocab_size: 50 };
    const files = { "config.json": config, "tokenizer.json": fixture("encoder/tokenizer.json") };
    expect(await refusal(await pipelineWith(hard(), await encoderWith(files)))).toMatch(
      /the tokenizer has \d+ tokens, but the encoder embeds 50/,
    );
  });
});

describe("the command", () => {
  test("makes the same bytes with 1 worker and with 3, and prints the artifact's path", async () => {
    const hashes: string[] = [];
    for (const workers of [1, 3]) {
      const folders = await pipelineWith(sample());
      await writeFile(join(folders.pipelineFolder, "tokenize.json"), JSON.stringify({ workers, windowsPerShard: 100 }));
      const { stdout, stderr } = await command(folders);
      const folder = join(folders.artifactsFolder, "tokenize");
      expect(stdout).toBe(`${folder}\n`);
      expect(stderr).toMatch(/^tokenize {2}2,267 questions \(\d+ without answer\) → windows of 384, overlap 128$/m);
      expect(stderr).toMatch(
        /^tokenize {2}[\d,]+ windows · [\d,]+ questions needed 2\+ windows · 0 answers unmatched$/m,
      );
      hashes.push(await readFile(join(folder, "manifest.json"), "utf8"));
    }
    expect(hashes[1]).toBe(hashes[0]);
  });

  test("killed while it writes, it leaves no artifact, and the next run succeeds", async () => {
    const folders = await pipelineWith(sample());
    await writeFile(join(folders.pipelineFolder, "tokenize.json"), JSON.stringify({ windowsPerShard: 10 }));
    const watcher = watch(folders.artifactsFolder);
    const child = spawn(process.execPath, [bin, "stage", "tokenize", folders.pipelineFolder]);
    await new Promise<void>((resolve) => {
      watcher.on("change", (_, name) => {
        if (String(name).startsWith(".tokenize.new-")) resolve();
      });
    });
    child.kill("SIGKILL");
    await once(child, "close");
    watcher.close();
    expect(existsSync(join(folders.artifactsFolder, "tokenize"))).toBe(false);
    await command(folders);
    expect((await readdir(folders.artifactsFolder)).sort()).toEqual(["fetch", "tokenize"]);
  });
});

async function command({ pipelineFolder }: TestFolders) {
  return promisify(execFile)(process.execPath, [bin, "stage", "tokenize", pipelineFolder]);
}

/** An encoder's folder with the given JSON files. */
async function encoderWith(files: Record<string, unknown>): Promise<string> {
  const { pipelineFolder } = await pipelineWith(hard());
  const folder = join(pipelineFolder, "encoder");
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content));
  return folder;
}
