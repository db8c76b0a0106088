import { buildPage, bundle, pageFile, readExamples, type PageFile } from "@bertqa/page";
import { BertqaError } from "@bertqa/squad";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { modelFiles } from "../src/export-files.ts";
import { makeSelfTest } from "./make-self-test.ts";
import type { OfflineFiles, SelfTest, Site } from "./site.ts";

export interface DemoOptions {
  /** An export. */
  readonly model: string;
  /** What the page calls the model. */
  readonly name: string;
  /** Folder to write; one that is there is replaced if it is a demo. */
  readonly out: string;
}

const packageRequire = createRequire(import.meta.url);
const here = import.meta.dirname;

/**
 * Writes a folder of static files: the page with a model that answers in the browser.
 *
 * @returns the self-test that it holds
 * @throws BertqaError if the model is no export, or the folder is no demo
 */
export async function buildDemo({ model, name, out }: DemoOptions): Promise<SelfTest> {
  // The shortest passage first: the page answers its self-test on every start.
  const examples = (await readExamples()).sort((a, b) => a.text.length - b.text.length);
  const asked = examples.flatMap(({ text: context, questions }) =>
    questions.map((question) => ({ question, context })),
  );
  const selfTest = await makeSelfTest(model, asked);
  const files = new Map<string, PageFile>();
  const add = (path: string, bytes: Uint8Array) => files.set(path, pageFile(path, bytes));

  for (const [path, file] of await buildScripts()) files.set(path, file);
  const wasm = await addRuntime(add);
  const modelOfSite = await addModel(model, add);
  const site: Site = { name, ...modelOfSite, wasm, selfTest };
  add("site.json", new TextEncoder().encode(JSON.stringify(site)));
  await addServiceWorker(files);
  await writeFolder(out, files);
  return selfTest;
}

async function buildScripts(): Promise<ReadonlyMap<string, PageFile>> {
  const worker = await bundle({ "model-worker": join(here, "workers/model-worker.ts") });
  const modelWorkerPath = JSON.stringify([...worker.keys()][0]);
  const script = join(here, "page/main.ts");
  const page = await buildPage({ script, define: { modelWorkerPath }, hasPolicyElement: true });
  return new Map([...page, ...worker]);
}

async function addRuntime(add: (path: string, bytes: Uint8Array) => void): Promise<Site["wasm"]> {
  const put = async (name: string) => {
    const bytes = await readFile(packageRequire.resolve(`onnxruntime-web/${name}`));
    const path = `assets/${name.replace(/(\.\w+)$/, `-${hashOf(bytes)}$1`)}`;
    add(path, bytes);
    return { path, bytes: bytes.length };
  };
  const module = await put("ort-wasm-simd-threaded.mjs");
  return { ...(await put("ort-wasm-simd-threaded.wasm")), modulePath: module.path };
}

async function addModel(folder: string, add: (path: string, bytes: Uint8Array) => void) {
  const wanted = [
    ...["manifest.json", "decision.json", "config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json"],
    ...Object.values(modelFiles),
  ];
  const read = new Map<string, Uint8Array>();
  for (const name of wanted) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) read.set(name, bytes);
  }
  // Large, and says what tokenizer.json says.
  if (read.has("tokenizer.json")) read.delete("vocab.txt");
  const modelFolder = `model-${hashOf(...read.values())}`;
  for (const [name, bytes] of read) add(`${modelFolder}/${name}`, bytes);
  const bytesOf = (name: string) => read.get(name)?.length ?? 0;
  const modelBytes = { int8: bytesOf(modelFiles.int8), float32: bytesOf(modelFiles.float32) };
  return { modelFolder, modelFiles: [...read.keys()], modelBytes };
}

/** Adds the service worker, which must know all other files. */
async function addServiceWorker(files: Map<string, PageFile>): Promise<void> {
  const paths = [...files.keys()];
  const isLarge = (path: string) => /\.(onnx|wasm)$/.test(path);
  const offline: OfflineFiles = {
    version: hashOf(...[...files].flatMap(([path, { bytes }]) => [path, bytes])),
    shell: paths.filter((path) => !isLarge(path)),
    large: Object.fromEntries(paths.filter(isLarge).map((path) => [path, files.get(path)!.bytes.length])),
  };
  const name = "service-worker";
  const [script] = (
    await bundle({ [name]: join(here, "workers/service-worker.ts") }, { entryNames: "[name]" })
  ).values();
  const text = `self.offlineFiles=${JSON.stringify(offline)};\n${new TextDecoder().decode(script!.bytes)}`;
  files.set(`${name}.js`, pageFile(`${name}.js`, new TextEncoder().encode(text)));
}

function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 12);
}

/** Writes aside and renames, so that a folder that is served is never half a demo. */
async function writeFolder(out: string, files: ReadonlyMap<string, PageFile>): Promise<void> {
  const folder = resolve(out);
  await mkdir(folder, { recursive: true });
  refuseForeign(out, await readdir(folder), files);
  const beside = (role: string) => join(dirname(folder), `.${basename(folder)}.${role}-${process.pid}`);
  const [draft, old] = [beside("new"), beside("old")];
  for (const [path, { bytes }] of files) {
    await mkdir(dirname(join(draft, path)), { recursive: true });
    await writeFile(join(draft, path), bytes);
  }
  await rename(folder, old);
  await rename(draft, folder);
  await rm(old, { recursive: true });
}

/** A folder that holds anything but what a build writes, such as `.git` beside a demo, is not ours to replace. */
function refuseForeign(out: string, names: readonly string[], files: ReadonlyMap<string, PageFile>): void {
  const own = new Set([...files.keys()].map((path) => path.split("/")[0]));
  const foreign = names.find((name) => !own.has(name) && !/^model-[0-9a-f]{12}$/.test(name));
  if (foreign === undefined) return;
  throw new BertqaError("demo", `${out} holds files that are no demo: ${foreign}`, {
    remedy: "Give another folder with --out",
  });
}
