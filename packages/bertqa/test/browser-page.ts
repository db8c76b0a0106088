import { build } from "esbuild";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { chromium, type Page } from "playwright-core";

/** The Chromium of `BERTQA_CHROMIUM`, or a usual one that is there. */
export const chromiumPath =
  process.env["BERTQA_CHROMIUM"] ??
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
export const skipReason = chromiumPath ? "" : ": skipped, since no Chromium was found; name one in BERTQA_CHROMIUM";

const runtimeFiles = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
const types: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

export interface TestPage {
  readonly page: Page;
  /** `<address>/model/…` are the export's files. */
  readonly address: string;
  close(): Promise<void>;
}

/** Opens a page with a module's exports as the global `bertqa`, and an export's folder beside it. */
export async function openPage(moduleSource: string, modelFolder: string): Promise<TestPage> {
  const script = await bundle(moduleSource);
  const contentOf = async (name: string): Promise<Uint8Array | string | undefined> => {
    if (name === "") return "<!doctype html><title>bertqa</title>";
    if (name === "bertqa.js") return script;
    const isModel = name.startsWith("model/");
    const file = isModel ? join(modelFolder, name.slice("model/".length)) : join(runtimeFiles, name);
    return readFile(file).catch(() => undefined);
  };
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://x").pathname.slice(1);
    void contentOf(name).then((content) => {
      const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
      response.writeHead(content === undefined ? 404 : 200, { "content-type": name === "" ? "text/html" : type });
      response.end(content);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({
    executablePath: chromiumPath ?? "",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const page = await browser.newPage();
  await page.goto(address);
  await page.evaluate("import('/bertqa.js').then((module) => { globalThis.bertqa = module; })");
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, address, close };
}

async function bundle(source: string): Promise<Uint8Array> {
  const stdin = { contents: source, resolveDir: join(import.meta.dirname, "../src"), loader: "ts" } as const;
  const options = { bundle: true, write: false, format: "esm", platform: "browser", target: "es2023" } as const;
  return (await build({ ...options, stdin, logLevel: "error" })).outputFiles[0]!.contents;
}
