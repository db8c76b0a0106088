// `npm run bench:serve`: an open-loop load on `bertqa serve`, at a part of the offline rate measured just before.
import { questionsOf, squadFileSchema, type Question } from "@bertqa/squad";
import { runCommand } from "@bertqa/runner";
import { Command } from "commander";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describeProcessor } from "../packages/bertqa/src/cli/processor.ts";
import { loadQuestionAnswering } from "../packages/bertqa/src/node.ts";
import { percentile, startServer } from "./server.ts";

interface Options {
  readonly model: string;
  readonly data: string;
  readonly seconds: number;
  readonly part: number;
  readonly copies?: string;
}

const options = new Command("bench")
  .description("Asks at fixed times, whether or not earlier answers have come, and counts latency from those times.")
  .requiredOption("--model <folder>", "an export")
  .requiredOption("--data <file>", "SQuAD JSON")
  .option("--seconds <n>", "length of the load", Number, 60)
  .option("--part <x>", "of the offline rate", Number, 0.8)
  .option("--copies <n>", "as of bertqa serve")
  .parse()
  .opts<Options>();

await runCommand(async () => {
  const all = questionsOf(squadFileSchema.parse(JSON.parse(await readFile(options.data, "utf8"))));
  const questions = spread(all, 300);
  const offline = await offlineRate(questions);
  const load = await runLoad(questions, offline * options.part);
  const lines = [`${await describeProcessor()}, Node ${process.versions.node}`, "", "| measured | |", "| --- | --- |"];
  const row = (name: string, value: string) => lines.push(`| ${name} | ${value} |`);
  row("offline, questions/s", offline.toFixed(1));
  row("load, questions/s", `${(offline * options.part).toFixed(1)} for ${options.seconds} s`);
  row("asked, errors", `${load.latencies.length + load.errors}, ${load.errors}`);
  row("one at a time, p50 and p99, ms", [0.5, 0.99].map((part) => percentile(load.alone, part).toFixed(0)).join(", "));
  for (const part of [0.5, 0.95, 0.99, 1]) {
    row(part === 1 ? "slowest, ms" : `p${part * 100}, ms`, percentile(load.latencies, part).toFixed(0));
  }
  row("server's memory by tenths of the time, MiB", load.memory.map((each) => each.toFixed(0)).join(", "));
  row("processor seconds, server and generator", `${load.serverCpu.toFixed(1)}, ${load.generatorCpu.toFixed(1)}`);
  row("the server's a question, ms", ((load.serverCpu * 1000) / load.latencies.length).toFixed(1));
  lines.push("", "| bar | at least | measured |", "| --- | --- | --- |");
  lines.push(
    `| errors | 0 | ${load.errors} |`,
    `| p99, ms | under 1000 | ${percentile(load.latencies, 0.99).toFixed(0)} |`,
  );
  const [early, late] = [load.memory.at(3) ?? Number.NaN, load.memory.at(-1) ?? Number.NaN];
  lines.push(
    `| memory's growth over the last two thirds | flat | ${(((late - early) / early) * 100).toFixed(1)} % |`,
    "",
  );
  process.stdout.write(lines.join("\n"));
});

function spread(all: readonly Question[], count: number): Question[] {
  return Array.from({ length: Math.min(count, all.length) }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}

/** Questions a second when all are there at once, in this process. */
async function offlineRate(questions: readonly Question[]): Promise<number> {
  const qa = await loadQuestionAnswering(options.model);
  await qa.answerAll(questions.slice(0, 20));
  const startedMs = performance.now();
  await qa.answerAll(questions);
  const rate = (questions.length * 1000) / (performance.now() - startedMs);
  await qa.dispose();
  return rate;
}

async function runLoad(questions: readonly Question[], perSecond: number) {
  const copies = options.copies === undefined ? [] : ["--copies", options.copies];
  const server = await startServer(options.model, ["--log-level", "warn", ...copies]);
  const latencies: number[] = [];
  const memory: number[] = [];
  let errors = 0;
  const ask = async (i: number, dueMs: number) => {
    const { question, context } = questions[i % questions.length]!;
    const body = JSON.stringify({ questions: [{ question, context }] });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    try {
      const response = await fetch(`${server.address}/v1/answers`, init);
      await response.arrayBuffer();
      if (response.ok) latencies.push(performance.now() - dueMs);
      else errors += 1;
    } catch {
      errors += 1;
    }
  };
  for (let i = 0; i < 20; i += 1) await ask(i, performance.now()); // connections and code are warm
  latencies.length = 0;
  for (let i = 0; i < 100; i += 1) await ask(i, performance.now());
  const alone = latencies.splice(0).sort((a, b) => a - b);
  const serverBefore = await server.cpuSeconds();
  const ownBefore = process.cpuUsage();
  const startedMs = performance.now();
  const total = Math.round(perSecond * options.seconds);
  const asked: Promise<void>[] = [];
  for (let i = 0; i < total; i += 1) {
    const dueMs = startedMs + (i * 1000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    asked.push(ask(i, dueMs));
    if (i % Math.ceil(total / 10) === 0) memory.push(await server.residentMiB());
  }
  await Promise.all(asked);
  memory.push(await server.residentMiB());
  const { user, system } = process.cpuUsage(ownBefore);
  const serverCpu = (await server.cpuSeconds()) - serverBefore;
  const exit = once(server.child, "exit");
  server.child.kill("SIGTERM");
  await exit;
  latencies.sort((a, b) => a - b);
  return { alone, latencies, errors, memory, serverCpu, generatorCpu: (user + system) / 1e6 };
}
