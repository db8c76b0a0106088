import { BertqaError } from "@bertqa/squad";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { InferenceSession } from "onnxruntime-common";
import { modelFileOf, readExport, type ExportFiles } from "./export-files.ts";
import { limitsOf, type Limits } from "./limits.ts";
import type { Parts, Precision, Runtime } from "./question-answering.ts";
import { openSession, type OnnxRuntime } from "./session.ts";

export interface LoadOptions extends Partial<Limits> {
  /**
   * "int8" (default): a quarter of the size and faster; "float32": the logits of training. The model card's scores are not
   * those of int8: `bertqa score` gives them.
   */
  readonly precision?: Precision;
  /** Default: onnxruntime-node where it is installed and loads, else onnxruntime-web. */
  readonly runtime?: Runtime;
  /** Threads within an operator; default: what ONNX Runtime takes, all physical cores. */
  readonly threads?: number;
  /** Passed on to ONNX Runtime. */
  readonly sessionOptions?: InferenceSession.SessionOptions;
}

/**
 * Loads the parts of a model from a folder; `serve` puts another session between them and the model.
 *
 * @throws BertqaError if the folder is no export, its files do not belong together, or no runtime loads
 */
export async function loadParts(folder: string, options: LoadOptions = {}): Promise<Parts> {
  const precision = options.precision ?? "int8";
  if (!(await isFolder(folder))) throw new BertqaError("bertqa", `there is no folder ${folder}`);
  const { check, ...files } = await readExport({ where: folder, read: (name) => readIfThere(join(folder, name)) });
  const opened = await openModel(folder, options, check);
  return { ...files, ...opened, precision, limits: limitsOf(options) };
}

/**
 * Loads the model alone.
 *
 * @param check tells whether the file is the one that was exported; left out for a copy of a model that was checked
 */
export async function openModel(
  folder: string,
  { precision = "int8", threads, ...options }: LoadOptions,
  check?: ExportFiles["check"],
): Promise<Pick<Parts, "session" | "runtime">> {
  const modelName = modelFileOf(precision);
  const modelFile = join(folder, modelName);
  const { name, runtime } = await loadRuntime(options.runtime, threads);
  // The web build reads no files.
  const model = name === "onnxruntime-node" ? modelFile : await readIfThere(modelFile);
  if (model === undefined) {
    throw new BertqaError("bertqa", `the export has no ${modelName}`, { where: folder });
  }
  await check?.(modelName, typeof model === "string" ? await sha256OfFile(model) : model);
  const sessionOptions = { ...(threads !== undefined && { intraOpNumThreads: threads }), ...options.sessionOptions };
  return { session: await openSession(runtime, model, sessionOptions, modelFile), runtime: name };
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  } catch (cause) {
    throw new BertqaError("bertqa", `the model cannot be read: ${(cause as Error).message}`, { where: file, cause });
  }
  return hash.digest("hex");
}

async function readIfThere(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const problem = `a file of the export cannot be read: ${(cause as Error).message}`;
    throw new BertqaError("bertqa", problem, { where: file, cause });
  }
}

async function loadRuntime(
  wanted: Runtime | undefined,
  threads: number | undefined,
): Promise<{ readonly name: Runtime; readonly runtime: OnnxRuntime }> {
  if (wanted !== "onnxruntime-web") {
    try {
      return { name: "onnxruntime-node", runtime: runtimeOf(await import("onnxruntime-node")) };
    } catch (cause) {
      if (wanted === "onnxruntime-node") {
        const problem = `onnxruntime-node does not load: ${(cause as Error).message.split("\n")[0]}`;
        throw new BertqaError("bertqa", problem, {
          remedy: "npm install onnxruntime-node, or leave runtime out",
          cause,
        });
      }
    }
  }
  const web = await import("onnxruntime-web");
  if (threads !== undefined) web.env.wasm.numThreads = threads;
  return { name: "onnxruntime-web", runtime: runtimeOf(web) };
}

/** CommonJS packages come as a default export, too. */
function runtimeOf(module: object): OnnxRuntime {
  return "InferenceSession" in module ? (module as OnnxRuntime) : (module as { default: OnnxRuntime }).default;
}
