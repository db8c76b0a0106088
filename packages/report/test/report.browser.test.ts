import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Question } from "@bertqa/squad";
import { buildReport } from "../src/build.ts";
import { chromiumArguments, chromiumPath } from "./support/chromium.ts";
import { hostilePassage, hostileQuestion, reportDataOf, sampleReportData } from "./support/report-data.ts";

const data = sampleReportData();
const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 360, height: 740 } };
const reason = chromiumPath ? "" : ": skipped, since no Chromium was found; name one in BERTQA_CHROMIUM";
if (!chromiumPath) process.stderr.write(`the report in a real browser${reason}\n`);

describe.skipIf(!chromiumPath)(`the report in a real browser${reason}`, () => {
  let folder: string;
  let browser: Browser;
  /** Everything that a page should not do: errors, warnings, requests beyond its own file. */
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bertqa-report-"));
    writeFileSync(join(folder, "report.html"), buildReport(data));
    browser = await chromium.launch({ executablePath: chromiumPath ?? "", args: chromiumArguments });
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(complaints.splice(0)).toEqual([]);
  });

  async function open(address = "", options: BrowserContextOptions = desktop, file = "report.html"): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(`${pathToFileURL(join(folder, file)).href}${address}`);
    return page;
  }

  /** The passage without the words that only screen readers hear. */
  const shownPassage = (page: Page) =>
    page.evaluate<string>(
      `(() => { const passage = document.querySelector(".passage").cloneNode(true);
         passage.querySelectorAll(".unseen").forEach((part) => part.remove());
         return passage.textContent; })()`,
    );

  const shownQuestion = async (page: Page) => {
    const id = await page.locator(".question-id").textContent();
    return data.questions.find((question) => question.id === id);
  };

  const filter = (page: Page, name: string) => page.getByRole("group", { name: "Show" }).getByRole("button", { name });

  const hasSidewaysScroll = (page: Page) =>
    page.evaluate<boolean>("document.documentElement.scrollWidth > document.documentElement.clientWidth");

  test("opens on the overview and goes to the questions and back", async () => {
    const page = await open();
    expect(await page.getByRole("heading", { level: 1, name: "sample" }).isVisible()).toBe(true);
    await page.getByRole("link", { name: "Questions", exact: true }).click();
    expect(await page.getByRole("listbox").isVisible()).toBe(true);
    await page.keyboard.press("j");
    await page.goBack();
    expect(await page.getByRole("listbox").isVisible()).toBe(false);
  });

  test("a question may be called like a view: its link shows it, and the view's link the view", async () => {
    const [first, second] = data.questions as [Question, Question];
    const questions = [first, { ...second, id: "overview" }];
    const spans = { [first.id]: "Cremona", overview: "1737" };
    writeFileSync(
      join(folder, "named.html"),
      buildReport(reportDataOf(questions, spans, { [first.id]: -1, overview: -1 })),
    );
    const page = await open("#overview", desktop, "named.html");
    expect(await page.locator("#overview-view").isVisible()).toBe(true);
    await page.goto(`${pathToFileURL(join(folder, "named.html")).href}#id=overview`);
    expect(await page.locator("#detail h2").textContent()).toBe(second.question);
  });

  test("a filter lists its questions alone, with their count", async () => {
    const page = await open("#questions");
    const count = data.results.filter(({ outcome }) => outcome === "partial").length;
    await filter(page, "Partial").click();
    expect(await filter(page, "Partial").textContent()).toBe(`Partial ${count}`);
    expect(await page.locator("#position").textContent()).toContain(`1 of ${count}`);
    const outcomes = new Set(await page.locator(".row [data-outcome]").allTextContents());
    expect(outcomes).toEqual(new Set(["partial"]));
    expect(await page.locator(".badge").textContent()).toBe("partial");
  });

  test("j and k step through the questions, each with its own passage and its address", async () => {
    const page = await open("#questions");
    const seen: (string | undefined)[] = [];
    for (const key of ["j", "j", "k"]) {
      await page.keyboard.press(key);
      const question = await shownQuestion(page);
      seen.push(question?.id);
      expect(await shownPassage(page)).toBe(question?.context);
      expect(page.url()).toContain(`#id=${question?.id}`);
    }
    expect(seen).toEqual([1, 2, 1].map((index) => data.questions[index]?.id));
  });

  test("arrow keys move in the list, and never past its ends", async () => {
    const page = await open("#questions");
    await page.getByRole("listbox").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowDown");
    expect((await shownQuestion(page))?.id).toBe(data.questions.at(-1)?.id);
    expect(await page.getByRole("listbox").getByRole("option", { selected: true }).count()).toBe(1);
    await page.keyboard.press("Home");
    expect((await shownQuestion(page))?.id).toBe(data.questions[0]?.id);
    expect(await page.getByRole("button", { name: "Previous" }).isDisabled()).toBe(true);
  });

  test("gold answer and prediction are marked where they stand", async () => {
    const index = data.results.findIndex(({ outcome }) => outcome === "wrong");
    const page = await open(`#id=${data.questions[index]?.id}`);
    const gold = new Set(data.questions[index]?.answers.map(({ text }) => text));
    expect(new Set(await page.locator(".answers mark.gold").allTextContents())).toEqual(gold);
    const best = data.results[index]?.bestSpan;
    expect(await page.locator(".passage mark.predicted").textContent()).toBe(`[predicted: ${best}]`);
  });

  test("markup in passage, question, answer and article shows as text and does nothing", async () => {
    const page = await open(`#id=${encodeURIComponent(hostileQuestion.id)}`);
    expect(await shownPassage(page)).toBe(hostilePassage);
    expect(await page.locator("#detail h2").textContent()).toBe(hostileQuestion.question);
    expect(await page.locator(".answers mark.gold").textContent()).toBe("<b>forty-two</b>");
    expect(await page.locator(".article-name").textContent()).toBe(hostileQuestion.article);
    expect(await page.locator("img, #detail b, #detail i, #list i").count()).toBe(0);
    expect(await page.title()).toBe("sample · owner/<tiny> · evaluation");
  });

  test("search narrows the list, / focuses it, Escape clears it", async () => {
    const page = await open("#questions");
    await page.keyboard.press("/");
    await page.keyboard.type("FORTY-two");
    expect(await page.locator("#position").textContent()).toContain("1 of 1");
    await page.keyboard.press("Escape");
    expect(await page.locator("#position").textContent()).toContain(`of ${data.questions.length}`);
    await page.getByRole("searchbox").fill("no such words");
    expect(await page.locator("#detail").textContent()).toBe("No question fits.");
  });

  test("an article's name in the breakdown lists its questions", async () => {
    const page = await open();
    await page.getByRole("link", { name: "Glaciers" }).click();
    const glaciers = data.questions.filter(({ article }) => article === "Glaciers").length;
    expect(await page.locator("#position").textContent()).toContain(`of ${glaciers}`);
  });

  test("another threshold changes outcomes and counts", async () => {
    const page = await open("#questions");
    // Beyond its threshold an answerable question is missed; at 0 those are the ones with null odds above 0.
    const missed = data.results.filter(({ answerable, nullOdds }) => answerable && nullOdds > 0).length;
    const shown = filter(page, "Missed answer").locator(".count");
    expect(await shown.textContent()).not.toBe(String(missed));
    await page.locator("#threshold").selectOption("0");
    expect(await shown.textContent()).toBe(String(missed));
  });

  test("pointing at a candidate shows it in the passage", async () => {
    const page = await open(`#id=${encodeURIComponent(hostileQuestion.id)}`);
    await page.locator(".nbest tbody tr").first().hover();
    expect(await page.locator(".passage mark.candidate").textContent()).toContain("forty-two");
    await page.locator("#detail h2").hover();
    expect(await page.locator(".passage mark.candidate").count()).toBe(0);
  });

  test("a breakdown sorts by the column whose head is pressed, down and up", async () => {
    const page = await open();
    const table = page.getByRole("region", { name: "Scores by article" });
    const column = async () => (await table.locator("tbody td:last-child").allTextContents()).map(Number);
    await table.getByRole("button", { name: "F1" }).click();
    const down = await column();
    expect(down).toEqual([...down].sort((a, b) => b - a));
    await table.getByRole("button", { name: "F1" }).click();
    expect(await column()).toEqual([...down].sort((a, b) => a - b));
  });

  test.each([320, 360, 400])("a phone %i pixels wide never scrolls sideways", async (width) => {
    const page = await open("", { ...phone, viewport: { width, height: 740 } });
    expect(await hasSidewaysScroll(page)).toBe(false);
    await page.getByRole("link", { name: "Questions", exact: true }).click();
    for (let step = 0; step < 5; step++) {
      await page.getByRole("button", { name: "Next" }).click();
      expect(await hasSidewaysScroll(page)).toBe(false);
    }
    expect(await page.locator("#detail h2").isVisible()).toBe(true);
  });

  test("dark mode is dark, and its text is light", async () => {
    const lightnessOf = async (colorScheme: "light" | "dark") => {
      const page = await open("", { ...desktop, colorScheme });
      const colours = await page.evaluate<string[]>(
        `["backgroundColor", "color"].map((name) => getComputedStyle(document.body)[name])`,
      );
      // "rgb(21, 23, 27)" → 71, of 765
      return colours.map((colour) => (colour.match(/\d+/g) ?? []).reduce((sum, part) => sum + Number(part), 0));
    };
    const [darkGround = NaN, darkInk = NaN] = await lightnessOf("dark");
    const [lightGround = NaN, lightInk = NaN] = await lightnessOf("light");
    expect(darkGround).toBeLessThan(150);
    expect(darkInk).toBeGreaterThan(600);
    expect(lightGround).toBeGreaterThan(700);
    expect(lightInk).toBeLessThan(150);
  });

  test("of 11,873 questions, only the rows in sight are in the page", async () => {
    const many = Array.from({ length: 11_873 }, (_, index) => ({
      ...(data.questions[index % data.questions.length] ?? hostileQuestion),
      id: `question-${index}`,
    }));
    const spans = Object.fromEntries(many.map(({ id }) => [id, "forty-two"]));
    const odds = Object.fromEntries(many.map(({ id }, index) => [id, (index % 7) - 3]));
    writeFileSync(join(folder, "many.html"), buildReport(reportDataOf(many, spans, odds)));
    const page = await open("#id=question-11000", desktop, "many.html");
    expect(await page.locator("#position").textContent()).toContain("11,001 of 11,873");
    expect(await page.getByRole("listbox").getByRole("option", { selected: true }).isVisible()).toBe(true);
    expect(await page.locator(".row").count()).toBeLessThan(50);
  });
});
