import { parseJson, type Reporter } from "@bertqa/core";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Server as RawServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach } from "vitest";
import { fetchEnvironment, type FetchEnvironment } from "../src/environment.ts";
import { fetchOptionsSchema, type FetchOptions } from "../src/options.ts";

export const repositoryFolder = resolve(import.meta.dirname, "../../..");

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A folder of the test's own, gone after it. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-fetch-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A server on loopback, closed after the test. */
export async function serve(listener: RequestListener): Promise<string> {
  return startServer(createServer(listener));
}

export async function startServer(server: Server | RawServer): Promise<string> {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  cleanups.push(async () => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Keeps what a stage tells people. */
export function recordingReporter(): Reporter & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    line: (text) => void lines.push(text),
    progress: () => ({ update: () => {}, stop: () => {} }),
  };
}

/** An environment that waits for nothing and keeps its downloads in the test's folder. */
export function testEnvironment(folder: string, variables: NodeJS.ProcessEnv = {}): FetchEnvironment {
  const environment = fetchEnvironment({
    PATH: process.env["PATH"],
    BERTQA_CACHE: join(folder, "cache"),
    ...variables,
  });
  return {
    ...environment,
    retry: { ...environment.retry, firstDelayMs: 0, longestDelayMs: 0, idleTimeoutMs: 5_000 },
  };
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

export function pinOf(content: string | Uint8Array): { bytes: number; sha256: string } {
  const bytes = Buffer.from(content);
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** What `fetch.json` of this content resolves to. */
export function resolveOptions(content: unknown): FetchOptions {
  return parseJson("fetch", JSON.stringify(content), "fetch.json", fetchOptionsSchema);
}

/** A SQuAD file of one paragraph. */
export function squad(context: string, qas: readonly unknown[]): { version: string; data: unknown[] } {
  return { version: "v2.0", data: [{ title: "Rivers", paragraphs: [{ context, qas }] }] };
}

export const trainFile = squad("The Rhine rises in the Alps.", [
  { id: "t-1", question: "Where does the Rhine rise?", answers: [{ text: "the Alps", answer_start: 19 }] },
  { id: "t-2", question: "How long is the Rhine?", answers: [], is_impossible: true },
]);

export const devFile = squad("The Elbe ends in the North Sea.", [
  { id: "d-1", question: "Where does the Elbe end?", answers: [{ text: "the North Sea", answer_start: 17 }] },
  { id: "d-2", question: "Where does the Elbe rise?", answers: [], is_impossible: true },
]);

/** A `config.json` of the smallest BERT that can be trained. */
export function bertConfig(vocabularySize: number, changed: object = {}): string {
  const sizes = { hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8 };
  const limits = { vocab_size: vocabularySize, max_position_embeddings: 16 };
  return JSON.stringify({ model_type: "bert", ...limits, ...sizes, ...changed });
}

export const encoderFolder: Readonly<Record<string, string>> = {
  "config.json": bertConfig(3),
  "tokenizer.json": JSON.stringify({ model: { vocab: { "[PAD]": 0, "[UNK]": 1, rhine: 2 } } }),
  "model.safetensors": "stands for tensors: fetch copies them unread",
  "vocab.txt": "[PAD]\n[UNK]\nrhine\n",
};

export const pinnedEncoder = Object.fromEntries(
  Object.entries(encoderFolder).map(([name, content]) => [name, pinOf(content)]),
);

/** A pipeline whose files all lie beside its `fetch.json`. */
export async function writeLocalPipeline(folder: string, files: Readonly<Record<string, unknown>> = {}) {
  const options = {
    dataset: { train: { sources: ["train.json"] }, dev: { sources: ["dev.json"] } },
    encoder: { sources: ["encoder"] },
  };
  const encoder = Object.entries(encoderFolder).map(([name, content]) => [`encoder/${name}`, content]);
  const json = { "fetch.json": options, "train.json": trainFile, "dev.json": devFile, ...files };
  const texts = Object.entries(json).map(([name, value]) => [
    name,
    typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value),
  ]);
  await writeFiles(folder, Object.fromEntries([...encoder, ...texts]) as Record<string, string | Uint8Array>);
  return resolveOptions(json["fetch.json"]);
}
