import { pageFile, readExamples } from "@bertqa/page";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildDemo } from "../demo/build.ts";
import { serveDemo } from "../demo/serve.ts";
import type { Site } from "../demo/site.ts";
import { loadQuestionAnswering } from "../src/node.ts";
import { chromiumPath, skipReason } from "./browser-page.ts";
import { ask, marked, StrictBrowser, untilLoaded } from "./chromium.ts";
import { temporaryFolder, writeTinyExport } from "./tiny-export.ts";

test("a model folder that is no export, and a folder of other files, are refused in one line", async () => {
  const folder = await temporaryFolder();
  await expect(buildDemo({ model: folder, name: "x", out: join(folder, "out") })).rejects.toThrow(
    /^bertqa: \S+ is no export of bertqa: it has no decision\.json\. Run [^\n]+$/,
  );
  const model = await writeTinyExport(join(folder, "model"));
  await writeFile(join(folder, "letter.txt"), "keep me");
  await expect(buildDemo({ model, name: "x", out: folder })).rejects.toThrow(/^demo: \S+ holds files that are no demo/);
  expect(await readFile(join(folder, "letter.txt"), "utf8")).toBe("keep me");
});

test("a demo is replaced whole, but not where somebody keeps more in its folder", async () => {
  const folder = await temporaryFolder();
  const [model, out] = [await writeTinyExport(join(folder, "model")), join(folder, "out")];
  await buildDemo({ model, name: "first", out });
  await buildDemo({ model, name: "second", out });
  expect(await readFile(join(out, "site.json"), "utf8")).toContain('"name":"second"');
  expect((await readdir(folder)).toSorted()).toEqual(["model", "out"]);
  await mkdir(join(out, ".git"));
  await expect(buildDemo({ model, name: "third", out })).rejects.toThrow(
    /^demo: \S+ holds files that are no demo: \.git\. Give another folder with --out\.$/,
  );
  expect(await readFile(join(out, "site.json"), "utf8")).toContain('"name":"second"');
});

/** The manifest of `model`, with what `other` says of one file. */
async function manifestWith(model: string, other: string, name: string): Promise<string> {
  const read = async (place: string) =>
    JSON.parse(await readFile(join(place, "manifest.json"), "utf8")) as { files: { path: string }[] };
  const [manifest, { files }] = [await read(model), await read(other)];
  const replaced = manifest.files.map((file) => (file.path === name ? files.find(({ path }) => path === name) : file));
  return JSON.stringify({ ...manifest, files: replaced });
}

test("a demo is served to readers alone, and a request that is no address ends nothing", async () => {
  const folder = await temporaryFolder();
  await expect(serveDemo(folder)).rejects.toThrow(/^demo: there is no demo in \S+\. Run npx nx run demo:build first/);
  await writeFile(join(folder, "index.html"), "<html></html>");
  const service = await serveDemo(folder);
  const address = await service.listen();
  const socket = connect(Number(new URL(address).port), "127.0.0.1");
  socket.write("GET // HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  expect(String(await once(socket, "data"))).toMatch(/^HTTP\/1\.1 4\d\d /);
  const page = await fetch(address);
  expect([page.status, page.headers.get("cross-origin-embedder-policy")]).toEqual([200, "require-corp"]);
  expect((await fetch(address, { method: "POST" })).status).toBe(405);
  await service.stop();
});

/** Like hosts of static files: under a path, without headers of any use. */
async function hostPlainly(folder: string, basePath: string) {
  const server = createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname
      .slice(basePath.length)
      .replace(/(^|\/)$/, "$1index.html");
    void readFile(join(folder, path)).then(
      (bytes) => response.writeHead(200, { "content-type": pageFile(path, bytes).contentType }).end(bytes),
      ({ code }: NodeJS.ErrnoException) =>
        code === "EISDIR"
          ? response.writeHead(301, { location: `${basePath}${path}/` }).end()
          : response.writeHead(404).end(),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`, close };
}

describe.skipIf(!chromiumPath)(`the demo in a real browser${skipReason}`, () => {
  let folder: string;
  let model: string;
  let site: string;
  let browser: StrictBrowser;
  let server: Awaited<ReturnType<typeof hostPlainly>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bertqa-demo-"));
    model = await writeTinyExport(join(folder, "model"));
    site = join(folder, "site");
    await buildDemo({ model, name: "tiny", out: site });
    server = await hostPlainly(site, "/project/");
    browser = await StrictBrowser.launch();
  });
  afterEach(() => browser.closePages(/^Service Worker registration blocked by Playwright$/));
  afterAll(async () => {
    await browser.close();
    await server.close();
    await rm(folder, { recursive: true });
  });

  /** All 50 by `npm run test:page`: one of each example's ten is enough for a change that is none of the page's. */
  const questionsPerExample = process.env["BERTQA_PAGE"] ? 10 : 1;

  test(`answers ${5 * questionsPerExample} questions as Node does, in threads, by int8`, async () => {
    const page = await browser.open(server.address);
    expect(await page.locator("#model-facts").innerText()).toMatch(/^tiny\s+int8\s+in this browser\s+\d+ threads/);
    const examples = await readExamples();
    const words = ["Who wrote", "what is", "where is", "is it", "who wrote the engine,"];
    const questions = words.flatMap((word) => [`${word} the program?`, `${word} Ada?`]);
    const qa = await loadQuestionAnswering(model);
    for (const [i, { title, text: context }] of examples.entries()) {
      await page.getByLabel("Choose a passage").selectOption(title);
      for (const question of questions.slice(i).concat(questions).slice(0, questionsPerExample)) {
        const expected = await qa.answer({ question, context, topK: 5 });
        await ask(page, question);
        expect(await page.locator(".given mark").textContent()).toBe(expected.answer);
        expect(await marked(page, "answer")).toBe(expected.answer);
        expect(await page.locator(".spans .text").allTextContents()).toEqual(
          expected.candidates.slice(1).map(({ text }) => text),
        );
      }
    }
    await qa.dispose();
  });

  test("works without a network after the first load", async () => {
    const host = await hostPlainly(site, "/offline/");
    const page = await browser.open(host.address);
    await page.getByText("works offline").waitFor();
    await host.close();
    await page.reload();
    await untilLoaded(page);
    await ask(page, "Who wrote the program?");
    expect(await marked(page, "answer")).not.toBe("");
  });

  test("a page beside it that the host redirects is left to the host", async () => {
    const beside = join(folder, "beside");
    await cp(site, beside, { recursive: true });
    await mkdir(join(beside, "blog"));
    await writeFile(join(beside, "blog/index.html"), '<link rel="icon" href="data:,"><title>Blog</title>');
    const host = await hostPlainly(beside, "/beside/");
    const page = await browser.open(host.address);
    await page.getByText("works offline").waitFor();
    await page.goto(`${host.address}blog`);
    expect(await page.title()).toBe("Blog");
    await host.close();
  });

  test.each([
    ["site.json", /^site\.json$/],
    ["ONNX Runtime's WebAssembly", /^assets\/.+\.wasm$/],
    ["the model", /^model-.+\/model_quantized\.onnx$/],
  ])("%s that was not uploaded is named, with the host's status", async (_, missing) => {
    const partial = await mkdtemp(join(folder, "partial-"));
    await cp(site, partial, { recursive: true });
    const path = (await readdir(site, { recursive: true })).find((each) => missing.test(each))!;
    await rm(join(partial, path));
    const host = await hostPlainly(partial, "/partial/");
    const page = await browser.open(host.address, { serviceWorkers: "block" });
    await page.getByText(`The file ${path} cannot be fetched: the server answered 404.`).waitFor({ timeout: 10_000 });
    await browser.closePages(/status of 404|^Service Worker registration blocked by Playwright$/);
    await host.close();
  });

  test("an int8 model that fails its self-test is not used: float32 answers, and the page says so", async () => {
    const broken = join(folder, "broken");
    await cp(site, broken, { recursive: true });
    const { modelFolder, selfTest } = JSON.parse(await readFile(join(broken, "site.json"), "utf8")) as Site;
    // Wrong and well-formed, as where products saturate.
    const other = await writeTinyExport(join(folder, "other"), { scoreFactor: -1 });
    const model = join(broken, modelFolder);
    await cp(join(other, "onnx/model_quantized.onnx"), join(model, "onnx/model_quantized.onnx"));
    await writeFile(join(model, "manifest.json"), await manifestWith(model, other, "onnx/model_quantized.onnx"));
    const service = await serveDemo(broken);
    const page = await browser.open(await service.listen());
    expect(await page.getByRole("status").first().textContent()).toMatch(
      /^The int8 model failed its self-test in this browser \(.+\): float32 answers instead\./,
    );
    const { title } = (await readExamples()).find(({ text }) => text === selfTest.context)!;
    await page.getByLabel("Choose a passage").selectOption(title);
    await ask(page, selfTest.question);
    expect(await marked(page, "answer")).toBe(selfTest.answer);
    expect(await page.locator("#model-facts").innerText()).toContain("float32");
    await service.stop();
  });

  test("one thread answers where the browser gives no shared memory", async () => {
    const page = await browser.open(server.address, { serviceWorkers: "block" });
    expect(await page.locator("#model-facts").innerText()).toContain("1 thread");
    await ask(page, "Who wrote the program?");
  });

  test("a long passage shows how far it is, and can be stopped", async () => {
    const page = await browser.open(server.address);
    await page.getByLabel("Choose a passage").selectOption("A text of your own …");
    await page.getByLabel("Your passage").fill("Ada wrote the program of the engine. ".repeat(4000));
    await page.getByLabel("Question", { exact: true }).fill("Who wrote the program?");
    await page.keyboard.press("Enter");
    await page.getByText(/^Reading: \d+ of \d{4,} windows …$/).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#state", { hasText: "Stopped." }).waitFor();
    // The worker is free again at once: a short passage is answered before the long one would have been.
    await page.getByLabel("Choose a passage").selectOption("Chess");
    await ask(page, "Who wrote it?");
  });

  test("a new version is offered, and taken when the reader says so", async () => {
    const changing = join(folder, "changing");
    await cp(site, changing, { recursive: true });
    const first = await serveDemo(changing);
    const address = await first.listen();
    const page = await browser.open(address);
    await buildDemo({ model, name: "second edition", out: changing });
    await first.stop();
    const second = await serveDemo(changing, Number(new URL(address).port));
    await second.listen();
    await page.reload();
    await page.getByRole("button", { name: "Change to it" }).click();
    await page.getByText("second edition").waitFor();
    await untilLoaded(page);
    expect(await page.evaluate<string[]>("caches.keys()")).toHaveLength(2);
    await second.stop();
  });

  test("the folder holds no file that the service worker does not know", async () => {
    const worker = await readFile(join(site, "service-worker.js"), "utf8");
    const entries = await readdir(site, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const unknown = files.map((file) => file.slice(site.length + 1)).filter((path) => !worker.includes(`"${path}"`));
    expect(unknown).toEqual(["service-worker.js"]);
  });
});
