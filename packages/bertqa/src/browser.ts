import { BertqaError } from "@bertqa/squad";
import * as ort from "onnxruntime-web/wasm";
import { modelFileOf, readExport } from "./export-files.ts";
import { limitsOf, type Limits } from "./limits.ts";
import { QuestionAnswering, type Precision } from "./question-answering.ts";
import { openSession } from "./session.ts";

export * from "./public.ts";

export interface LoadOptions extends Partial<Limits> {
  /** "int8" (default): a quarter of the download. */
  readonly precision?: Precision;
  /** Passed on to ONNX Runtime's WebAssembly build: on WebGPU, int8 models give other results. */
  readonly sessionOptions?: ort.InferenceSession.SessionOptions;
  /** Gets the files in place of the global `fetch`: to show progress, to add headers. */
  readonly fetch?: (url: URL) => Promise<Response>;
}

/**
 * Loads an exported model from an address: a folder that holds the export's files.
 *
 * @throws BertqaError if there is no export, or its files do not belong together
 */
export async function loadQuestionAnswering(
  address: string | URL,
  options: LoadOptions = {},
): Promise<QuestionAnswering> {
  const { precision = "int8", sessionOptions, fetch: get = fetch, ...limits } = options;
  const base = new URL(
    `${String(address).replace(/\/$/, "")}/`,
    (globalThis as { location?: { href: string } }).location?.href,
  );
  const read = async (name: string) => {
    const response = await get(new URL(name, base));
    if (response.status === 404) return undefined;
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    throw new BertqaError("bertqa", `${name}: the server answered ${response.status}`, { where: response.url });
  };
  const { check, ...files } = await readExport({ where: base.href, read });
  const name = modelFileOf(precision);
  const model = await read(name);
  if (!model) throw new BertqaError("bertqa", `the export has no ${name}`, { where: base.href });
  await check(name, model);
  const session = await openSession(ort, model, sessionOptions ?? {}, base.href + name);
  return new QuestionAnswering({
    ...files,
    session,
    precision,
    runtime: "onnxruntime-web",
    limits: limitsOf(limits),
  });
}
