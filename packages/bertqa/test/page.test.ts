import { createHttpService, hashToken, HttpProblem, type HttpService, type HttpToken } from "@bertqa/http";
import { mkdtemp, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultApiLimits, defaultQueueLimits } from "../src/limits.ts";
import { loadQuestionAnswering, type QuestionAnswering } from "../src/node.ts";
import { addApi, askScope } from "../src/serve/api.ts";
import { AnswerEngine } from "../src/serve/engine.ts";
import { addPage, loadPage } from "../src/serve/page-files.ts";
import { chromiumPath, skipReason } from "./browser-page.ts";
import { ask, axeFindings, looks, marked, StrictBrowser } from "./chromium.ts";
import { writeTinyExport } from "./tiny-export.ts";

const token = "a-token-of-this-test-alone-0123456789";

describe.skipIf(!chromiumPath)(`the served page in a real browser${skipReason}`, () => {
  let folder: string;
  let browser: StrictBrowser;
  /** Always answers. */
  let sure: QuestionAnswering;
  /** Never does. */
  let unsure: QuestionAnswering;
  const running: { readonly service: HttpService; readonly engine?: AnswerEngine }[] = [];

  /** The server as `bertqa serve` puts it together. */
  async function serve(folder: string, tokens: readonly HttpToken[] = []): Promise<string> {
    const service = await createHttpService({ tokens, logLevel: "silent" });
    const api = await addApi(service, { name: "tiny", limits: defaultApiLimits, queue: defaultQueueLimits });
    addPage(service, await loadPage());
    const engine = await AnswerEngine.load(folder, {}, () => {});
    api.use(engine);
    running.push({ service, engine });
    return service.listen();
  }

  /** A server whose model never answers as it should. */
  async function serveTrouble(
    answer: (response: ServerResponse) => unknown,
    model: () => unknown = () => ({ name: "trouble", precision: "int8", limits: { passageCharacters: 1e6 } }),
  ): Promise<string> {
    const service = await createHttpService({ logLevel: "silent" });
    addPage(service, await loadPage());
    service.app.get("/v1/model", model);
    service.app.post("/v1/answers", (_request, reply) => answer(reply.raw));
    running.push({ service });
    return service.listen();
  }

  let sureAddress: string;
  let unsureAddress: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bertqa-page-"));
    sure = await loadQuestionAnswering(await writeTinyExport(join(folder, "sure")));
    unsure = await loadQuestionAnswering(await writeTinyExport(join(folder, "unsure"), { threshold: -100 }));
    sureAddress = await serve(join(folder, "sure"));
    unsureAddress = await serve(join(folder, "unsure"));
    browser = await StrictBrowser.launch();
  });
  afterEach(() => browser.closePages(/status of (401|413|422|429|503)/));
  afterAll(async () => {
    await browser.close();
    await Promise.all(running.map(({ service }) => service.stop()));
    for (const { engine } of running) await engine?.stop();
    await Promise.all([sure, unsure].map((qa) => qa.dispose()));
    await rm(folder, { recursive: true });
  });

  const passageText = (page: Page) => page.locator("#reading .passage").textContent();

  /** Drops text on an element; says who takes it. */
  async function drop(page: Page, selector: string, text: string): Promise<string> {
    return page.evaluate<string>(`(() => { const data = new DataTransfer(); data.setData("text/plain", "${text}");
      const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      return document.querySelector("${selector}").dispatchEvent(event) ? "left to the browser" : "taken"; })()`);
  }

  async function write(page: Page, text: string): Promise<void> {
    await page.getByLabel("Choose a passage").selectOption("A text of your own …");
    await page.getByLabel("Your passage").fill(text);
    await page.getByRole("button", { name: "Done" }).click();
  }

  test.each(Object.entries(looks))("axe finds nothing, before and after an answer: %s", async (_, look) => {
    const page = await browser.open(unsureAddress, look);
    expect(await axeFindings(page)).toEqual([]);
    await ask(page, "Who wrote the program?");
    await ask(page, "Where is the engine?");
    expect(await axeFindings(page)).toEqual([]);
    await page.getByRole("button", { name: "Edit" }).click();
    expect(await axeFindings(page)).toEqual([]);
    const isWider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    expect(await page.evaluate<boolean>(isWider)).toBe(false);
  });

  test("the answer is marked where it stands, said to screen readers, and given with its probability", async () => {
    const page = await browser.open(sureAddress);
    expect(await page.locator("#model-facts").innerText()).toMatch(/^tiny\s+int8\s+on this server$/);
    const context = "Ada 😀 wrote the program in 1843. It is of 😀 the engine.";
    await write(page, context);
    await ask(page, "Who wrote the program?");
    const expected = await sure.answer({ question: "Who wrote the program?", context, topK: 5 });
    const share = `${Math.round(expected.score * 100)} %`;
    expect(await marked(page, "answer")).toBe(expected.answer);
    expect(await page.locator(".given").innerText()).toContain(`${share} probable`);
    expect(await page.locator("#spoken").textContent()).toBe(`Answer: ${expected.answer}. ${share} probable.`);
    expect(await page.locator(".passage mark.answer .unseen").allTextContents()).toEqual(["[answer: ", "]"]);
  });

  test("no answer is shown as such, with the span that it rejected", async () => {
    const page = await browser.open(unsureAddress);
    const context = "Ada wrote the program.";
    await write(page, context);
    await ask(page, "Who wrote the program?");
    const { candidates } = await unsure.answer({ question: "Who wrote the program?", context, topK: 5 });
    const rejected = candidates[0]?.text ?? "none";
    expect(await page.locator(".given p").first().textContent()).toBe("No answer in this passage");
    expect(await page.locator('[data-span="rejected"] .text').textContent()).toBe(rejected);
    expect(await marked(page, "rejected")).toBe(rejected);
    expect(await page.locator(".passage mark.answer").count()).toBe(0);
    expect(await page.locator("#spoken").textContent()).toContain(`Closest span, rejected: ${rejected}`);
  });

  test("arrow keys go from the question through the runner-ups, each shown in the text; Escape goes back", async () => {
    const page = await browser.open(sureAddress);
    await ask(page, "Who wrote the program?");
    const runnersUp = await page.locator('[data-span="runner-up"] .text').allTextContents();
    expect(runnersUp.length).toBeGreaterThan(1);
    await page.keyboard.press("ArrowDown");
    expect(await page.locator(":focus").getAttribute("data-span")).toBe("answer");
    for (const text of runnersUp) {
      await page.keyboard.press("ArrowDown");
      expect(await marked(page, "candidate")).toBe(text);
    }
    await page.keyboard.press("ArrowUp");
    expect(await marked(page, "candidate")).toBe(runnersUp.at(-2));
    await page.keyboard.press("Escape");
    expect(await page.locator(":focus").getAttribute("id")).toBe("question");
    expect(await page.locator(".passage mark.candidate").count()).toBe(0);
  });

  test("a pointer over a runner-up shows it, and takes it away again", async () => {
    const page = await browser.open(sureAddress);
    await ask(page, "Who wrote the program?");
    const row = page.locator('[data-span="runner-up"]').first();
    await row.hover();
    expect(await marked(page, "candidate")).toBe(await row.locator(".text").textContent());
    await page.locator("#answer-heading").hover();
    expect(await page.locator(".passage mark.candidate").count()).toBe(0);
  });

  test("the session keeps its questions; one of them brings back its answer and its passage", async () => {
    const page = await browser.open(sureAddress);
    const first = await passageText(page);
    await ask(page, "Who wrote the program?");
    await page.getByLabel("Choose a passage").selectOption("Chess");
    expect(await page.locator("#answer").isVisible()).toBe(false);
    await ask(page, "Where is the engine?");
    await page.getByRole("region", { name: "This session" }).getByRole("button", { name: "Who wrote" }).click();
    expect(await page.locator("#answer-heading").textContent()).toBe("Who wrote the program?");
    expect((await passageText(page))?.replace(/\[answer: |\]/g, "")).toBe(first);
    expect(await page.locator('#asked [aria-current="true"]').count()).toBe(1);
  });

  test("a long passage scrolls to the answer, and the page around it stays", async () => {
    const page = await browser.open(sureAddress);
    // Only the last line has words that the tiny model knows: elsewhere all spans are as unlikely as each other.
    await write(page, `${"@@ ## !!\n".repeat(400)}Ada wrote the program of the engine.`);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await ask(page, "Who wrote the program?");
    const box = (await page.locator("#reading").boundingBox())!;
    const mark = (await page.locator("mark.answer").first().boundingBox())!;
    expect(mark.y).toBeGreaterThanOrEqual(box.y);
    expect(mark.y + mark.height).toBeLessThanOrEqual(box.y + box.height);
    expect(await page.evaluate<number>("scrollY")).toBe(0);
  });

  test("files are read, dropped and chosen; what is no text is refused by name", async () => {
    const page = await browser.open(sureAddress);
    const choose = (name: string, mimeType: string, bytes: string | Buffer) =>
      page.locator("#file").setInputFiles({ name, mimeType, buffer: Buffer.from(bytes) });
    await choose("notes.md", "text/markdown", "# Ada\r\n\r\nwrote it");
    await page.locator("#reading", { hasText: "wrote it" }).waitFor();
    expect(await passageText(page)).toBe("# Ada\n\nwrote it");
    await choose("photo.png", "image/png", "x");
    await page.getByText("photo.png is no text or Markdown file.", { exact: true }).first().waitFor();
    await choose("old.txt", "text/plain", Buffer.from([0xe9, 0x20]));
    await page.getByText("old.txt is not in UTF-8. Save it as UTF-8 text.", { exact: true }).first().waitFor();
    await page.evaluate(`(() => { const data = new DataTransfer();
      data.items.add(new File(["dropped words"], "dropped.txt", { type: "text/plain" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); })()`);
    await page.locator("#reading", { hasText: "dropped words" }).waitFor();
    await page.evaluate(`(() => { const data = new DataTransfer(); data.setData("text/plain", "pasted words");
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true })); })()`);
    await page.locator("#reading", { hasText: "pasted words" }).waitFor();
    expect(await page.locator("#examples option").allTextContents()).toEqual(
      expect.arrayContaining(["notes.md", "dropped.txt", "Pasted text"]),
    );
  });

  test("what is being written is kept where another passage is chosen, opened or dropped", async () => {
    const page = await browser.open(sureAddress);
    const begin = async (text: string) => {
      await page.getByLabel("Choose a passage").selectOption("A text of your own …");
      await page.getByLabel("Your passage").fill(text);
    };
    await begin("first draft");
    await page.getByLabel("Choose a passage").selectOption("Chess");
    await begin("second draft");
    await page
      .locator("#file")
      .setInputFiles({ name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("notes of Ada") });
    await page.locator("#reading", { hasText: "notes of Ada" }).waitFor();
    await begin("third draft");
    await begin("fourth draft");
    await drop(page, "body", "dropped words");
    await page.locator("#reading", { hasText: "dropped words" }).waitFor();
    const choices = page.locator("#examples option");
    const drafts: (string | null)[] = [];
    for (const [i, title] of (await choices.allTextContents()).entries()) {
      if (title !== "Your text") continue;
      await page.getByLabel("Choose a passage").selectOption({ index: i });
      drafts.push(await passageText(page));
    }
    expect(drafts).toEqual(["first draft", "second draft", "third draft", "fourth draft"]);
  });

  test("a word dropped into the question goes there, and the passage stays", async () => {
    const page = await browser.open(sureAddress);
    const before = await passageText(page);
    expect(await drop(page, "#question", "Stradivari")).toBe("left to the browser");
    expect(await passageText(page)).toBe(before);
    expect(await drop(page, "main", "Stradivari")).toBe("taken");
    expect(await passageText(page)).toBe("Stradivari");
  });

  test("markup in text, question and answer is text, and does nothing", async () => {
    const page = await browser.open(sureAddress);
    const hostile = `Ada <img src=x onerror="document.title='hit'"> wrote <script>document.title='hit'</script> it`;
    await write(page, hostile);
    await ask(page, "<b>Who</b> wrote it?");
    expect(await page.locator("main img, main b, main script").count()).toBe(0);
    expect((await passageText(page))?.replace(/\[answer: |\]/g, "")).toBe(hostile);
    expect(await page.title()).toBe("bertqa: ask a text");
  });

  test("a server that wants a token is given the one that is typed, and the question is asked again", async () => {
    const page = await browser.open(
      await serve(join(folder, "sure"), [{ sha256: hashToken(token), scopes: [askScope] }]),
    );
    await page.getByLabel("Question", { exact: true }).fill("Who wrote the program?");
    await page.keyboard.press("Enter");
    await page.locator("#state", { hasText: "This server wants a token." }).waitFor();
    for (const [wrong, line] of [
      [`${token}\u200b`, "The token has characters that no token has."],
      [`${token}x`, "The token is not one of this server's."],
    ] as const) {
      await page.getByLabel("Token of this server").fill(wrong);
      await page.keyboard.press("Enter");
      await page.locator("#state", { hasText: line }).waitFor();
    }
    await page.getByLabel("Token of this server").fill(token);
    await page.keyboard.press("Enter");
    await page.locator("#answer-heading", { hasText: "Who wrote the program?" }).waitFor();
    expect(await page.getByLabel("Token of this server").isVisible()).toBe(false);
  });

  test("a busy server is told in one line, and the question stays to be asked again", async () => {
    const address = await serveTrouble(() => {
      throw new HttpProblem(429, "busy", "The queue is full.", { retryAfterSeconds: 7 });
    });
    const page = await browser.open(address);
    await page.getByLabel("Question", { exact: true }).fill("Who?");
    await page.keyboard.press("Enter");
    await page.locator("#state", { hasText: "The server is busy. Ask again in 7 s." }).waitFor();
    expect(await page.getByLabel("Question", { exact: true }).inputValue()).toBe("Who?");
    expect(await page.getByRole("button", { name: "Ask", exact: true }).isVisible()).toBe(true);
  });

  test.each([
    [
      new HttpProblem(503, "timeout", "The answer took too long."),
      "The answer took too long. Ask again, or about a part",
    ],
    [new HttpProblem(503, "stopping", "The server is stopping."), "The server is stopping."],
    [new HttpProblem(413, "body_too_large", "The body is larger."), "The text is longer than this server takes."],
    [
      new HttpProblem(422, "invalid", "The body does not have the form that this address takes.", {
        errors: [{ pointer: "/questions/0/question", detail: "is longer than 1000 characters" }],
      }),
      "The question is longer than 1000 characters.",
    ],
  ])("what went wrong is told in the reader's words: %s", async (problem, line) => {
    const address = await serveTrouble(() => {
      throw problem;
    });
    const page = await browser.open(address);
    await page.getByLabel("Question", { exact: true }).fill("Who?");
    await page.keyboard.press("Enter");
    await page.locator("#state", { hasText: line }).waitFor();
  });

  test("a text longer than the server reads is refused before it is sent", async () => {
    const page = await browser.open(sureAddress);
    await write(page, "x".repeat(100_001));
    await page.getByLabel("Question", { exact: true }).fill("Who?");
    await page.keyboard.press("Enter");
    const line = "The text has 100,001 characters, more than the 100,000 that are read here. Ask about a part of it.";
    await page.locator("#state", { hasText: line }).waitFor();
  });

  test("a server that is stopping when the page opens is told, and another try offered", async () => {
    let isStopping = true;
    const address = await serveTrouble(
      () => ({}),
      () => {
        if (isStopping) throw new HttpProblem(503, "stopping", "The server is stopping.", { retryAfterSeconds: 5 });
        return { name: "back", precision: "int8", limits: { passageCharacters: 1000 } };
      },
    );
    const page = await browser.open(address);
    await page.getByText("The server is stopping.").waitFor();
    isStopping = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator("#model-facts", { hasText: "back" }).waitFor();
  });

  test("a question that takes long is stopped, at the server too", async () => {
    let heard = () => {};
    const stopped = new Promise<void>((resolve) => (heard = resolve));
    const address = await serveTrouble((response) => {
      response.on("close", () => heard());
      return new Promise(() => {});
    });
    const page = await browser.open(address);
    await page.getByLabel("Question", { exact: true }).fill("Who?");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#state", { hasText: "Stopped." }).waitFor();
    await stopped;
    expect(await page.locator("#answer").isVisible()).toBe(false);
  });
});
