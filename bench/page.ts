// `npm run bench:page`: how soon the demo's page answers in Chromium, and whether it answers as Node does.
import { readExamples } from "@bertqa/page";
import { questionsOf, squadFileSchema } from "@bertqa/squad";
import { Command } from "commander";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import { buildDemo } from "../packages/bertqa/demo/build.ts";
import { serveDemo } from "../packages/bertqa/demo/serve.ts";
import { describeProcessor } from "../packages/bertqa/src/cli/processor.ts";
import { loadQuestionAnswering } from "../packages/bertqa/src/node.ts";
import { chromiumPath } from "../packages/bertqa/test/browser-page.ts";

const { model, rounds } = new Command("bench")
  .requiredOption("--model <folder>", "an export")
  .option("--rounds <n>", "loads and answers timed; the median counts", Number, 9)
  .parse()
  .opts<{ model: string; rounds: number }>();

/** The example with the passage of about 170 tokens. */
const title = "Chess";
const parityQuestions = 50;

const folder = await mkdtemp(join(tmpdir(), "bertqa-bench-"));
await buildDemo({ model, name: "bench", out: folder });
const server = await serveDemo(folder);
const address = await server.listen();
const browser = await chromium.launch({
  executablePath: chromiumPath ?? "",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const page = await (await browser.newContext()).newPage();

try {
  const example = (await readExamples()).find((each) => each.title === title)!;
  const firstLoadMs = await load(page);
  await page.getByText("works offline").waitFor();
  const firstAnswers: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await page.goto("about:blank");
    await page.goto(address, { waitUntil: "commit" });
    await page.getByLabel("Choose a passage").selectOption(title);
    await ask(page, example.questions[0]!);
    // Counted from the start of the navigation.
    firstAnswers.push(await page.evaluate<number>("performance.now()"));
  }
  const laterAnswers: number[] = [];
  for (let round = 0; round < rounds * 3; round++) {
    const startedAt = performance.now();
    await ask(page, `${example.questions[round % example.questions.length]!} (${round})`);
    laterAnswers.push(performance.now() - startedAt);
  }
  const facts = (await page.locator("#model-facts li").allTextContents()).join(", ");
  const rows = {
    "first load, nothing cached": [firstLoadMs],
    "first answer, model cached": firstAnswers,
    [`later answer, passage of ${example.text.split(/\s+/).length} words`]: laterAnswers,
  };
  process.stdout.write(
    `${await describeProcessor()}, ${availableParallelism()} cores, Chromium ${browser.version()}\n`,
  );
  process.stdout.write(`${facts}\n`);
  for (const [name, times] of Object.entries(rows)) process.stdout.write(`${line(name, times)}\n`);
  process.stdout.write(`${await parity(page)}\n`);
} finally {
  await browser.close();
  await server.stop();
  await rm(folder, { recursive: true });
}

async function load(page: Page): Promise<number> {
  const startedAt = performance.now();
  await page.goto(address);
  await page.waitForSelector('html[data-model="ready"]', { state: "attached" });
  return performance.now() - startedAt;
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel("Question", { exact: true }).fill(question);
  await page.keyboard.press("Enter");
  await page.locator("#answer-heading", { hasText: question }).waitFor();
  await page.locator('html[data-busy="false"]').waitFor({ state: "attached" });
}

/** Asks the sample's dev questions here, and in Node by both builds of ONNX Runtime. */
async function parity(page: Page): Promise<string> {
  const file = new URL("../pipelines/sample/corpus/dev.json", import.meta.url);
  const all = questionsOf(squadFileSchema.parse(JSON.parse(await readFile(file, "utf8"))));
  const questions = all.slice(0, parityQuestions);
  const got: string[] = [];
  for (const { question, context } of questions) {
    await page.getByLabel("Choose a passage").selectOption("new");
    await page.getByLabel("Your passage").fill(context);
    await ask(page, question);
    const given = page.locator(".given mark");
    got.push((await given.count()) > 0 ? ((await given.textContent()) ?? "") : "");
  }
  const lines: string[] = [];
  for (const runtime of ["onnxruntime-web", "onnxruntime-node"] as const) {
    const qa = await loadQuestionAnswering(model, { runtime });
    const expected: string[] = [];
    for (const { question, context } of questions) expected.push((await qa.answer({ question, context })).answer);
    await qa.dispose();
    const different = questions.flatMap(({ question }, i) =>
      got[i] === expected[i] ? [] : [`  ${question} here “${got[i]}”, there “${expected[i]}”`],
    );
    lines.push(
      `${questions.length - different.length} of ${questions.length} answers as Node's ${runtime}`,
      ...different,
    );
  }
  return lines.join("\n");
}

function line(name: string, times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
  return `${name.padEnd(42)} median ${at(0.5)} ms, worst ${at(1)} ms (${times.length})`;
}
