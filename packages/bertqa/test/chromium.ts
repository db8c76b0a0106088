import axe from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { expect, vi } from "vitest";
import { chromiumPath } from "./browser-page.ts";

// A browser beside other work may take minutes: these end what hangs, and hold no time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

export const desktop = { viewport: { width: 1280, height: 860 } };
export const looks: Readonly<Record<string, BrowserContextOptions>> = {
  light: desktop,
  dark: { ...desktop, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 } },
};

/** A browser whose pages may complain of nothing: no error, no warning, no violation of the policy, no file that is missing. */
export class StrictBrowser {
  readonly #browser: Browser;
  readonly #complaints: string[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch(): Promise<StrictBrowser> {
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
    return new StrictBrowser(await chromium.launch({ executablePath: chromiumPath ?? "", args }));
  }

  /** Opens the page, and waits until its model is ready or cannot be had. */
  async open(address: string, options: BrowserContextOptions = desktop): Promise<Page> {
    const context = await this.#browser.newContext(options);
    context.setDefaultTimeout(0); // the test's own ends it
    const page = await context.newPage();
    page.on("console", (message) => this.#complaints.push(message.text()));
    page.on("pageerror", (error) => this.#complaints.push(error.message));
    await page.goto(address);
    await untilLoaded(page);
    return page;
  }

  /** Closes all pages; fails with what they complained of, but for what is `expected`. */
  async closePages(expected = /^$/): Promise<void> {
    await Promise.all(this.#browser.contexts().map((context) => context.close()));
    const complaints = this.#complaints.splice(0).filter((complaint) => !expected.test(complaint));
    expect(complaints).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

export async function untilLoaded(page: Page): Promise<void> {
  await page.waitForSelector("html[data-model]", { state: "attached" });
}

/** Asks, and waits for the answer. */
export async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel("Question", { exact: true }).fill(question);
  await page.keyboard.press("Enter");
  await page.locator("#answer-heading", { hasText: question }).waitFor();
  await page.locator('html[data-busy="false"]').waitFor({ state: "attached" });
}

/** What is marked in the passage, without the words that only screen readers hear. */
export async function marked(page: Page, kind: string): Promise<string> {
  return page.evaluate<string>(
    `[...document.querySelectorAll(".passage mark.${kind}")].map((mark) =>
       [...mark.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("")).join("")`,
  );
}

/** What axe finds, a line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(`${axe.source}; 0`);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}`));
}
