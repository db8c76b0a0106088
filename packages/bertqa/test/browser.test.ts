import { build } from "esbuild";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadQuestionAnswering, type QuestionAnswer } from "../src/node.ts";
import { writeTinyExport } from "./tiny-export.ts";

const chromiumPath =
  process.env["BERTQA_CHROMIUM"] ??
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const reason = chromiumPath ? "" : ": skipped, since no Chromium was found; name one in BERTQA_CHROMIUM";

const runtimeFiles = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
const types: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};
const passage = "Ada 😀 Lovelace wrote the program in 1843. It is the engine of 😀 it, where Ada wrote on it.";
const input = { question: "Who wrote the program?", context: `${passage} `.repeat(3), topK: 3 };

/** What the page under test has as globals. */
declare const bertqa: { loadQuestionAnswering: typeof loadQuestionAnswering };

describe.skipIf(!chromiumPath)(`in a real browser${reason}`, () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    folder = await writeTinyExport(await mkdtemp(join(tmpdir(), "bertqa-")));
    const script = await bundle();
    server = createServer((request, response) => {
      const name = new URL(request.url ?? "/", "http://x").pathname.slice(1);
      void contentOf(name, folder, script).then((content) => {
        const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
        response.writeHead(content === undefined ? 404 : 200, { "content-type": name === "" ? "text/html" : type });
        response.end(content);
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: chromiumPath ?? "", args: ["--no-sandbox", "--disable-gpu"] });
    page = await browser.newPage();
    await page.goto(address);
    await page.evaluate("import('/bertqa.js').then((module) => { globalThis.bertqa = module; })");
  });
  afterAll(async () => {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true });
  });

  test.each(["float32", "int8"] as const)("%s answers as in Node", async (precision) => {
    const got: QuestionAnswer = await page.evaluate(
      async ({ url, precision, input }) => {
        const qa = await bertqa.loadQuestionAnswering(url, { precision });
        const result = await qa.answer(input);
        await qa.dispose();
        return result;
      },
      { url: `${address}/model`, precision, input },
    );
    const qa = await loadQuestionAnswering(folder, { precision });
    const expected = await qa.answer(input);
    await qa.dispose();
    expect(got.answer).toBe(expected.answer);
    expect(got.candidates.map(({ utf16 }) => utf16)).toEqual(expected.candidates.map(({ utf16 }) => utf16));
    expect(got.nullOdds).toBeCloseTo(expected.nullOdds, precision === "float32" ? 4 : 1);
  });

  test("an address without an export is refused in one line", async () => {
    const load = page.evaluate((url) => bertqa.loadQuestionAnswering(url), `${address}/nothing`);
    await expect(load).rejects.toThrow(`ask: ${address}/nothing/ is no export of bertqa`);
  });
});

async function bundle(): Promise<Uint8Array> {
  const entry = join(import.meta.dirname, "../src/browser.ts");
  const options = { bundle: true, write: false, format: "esm", platform: "browser", target: "es2023" } as const;
  return (await build({ ...options, entryPoints: [entry], logLevel: "error" })).outputFiles[0]!.contents;
}

async function contentOf(name: string, folder: string, script: Uint8Array): Promise<Uint8Array | string | undefined> {
  if (name === "") return "<!doctype html><title>bertqa</title>";
  if (name === "bertqa.js") return script;
  const file = name.startsWith("model/") ? join(folder, name.slice("model/".length)) : join(runtimeFiles, name);
  return readFile(file).catch(() => undefined);
}
