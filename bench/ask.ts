// `npm run bench:ask`: questions a second of an exported model, beside PyTorch and Python's onnxruntime, in turn.
import { readPassage, windowsFor, type QuestionWindow } from "@bertqa/answers";
import { runCommand } from "@bertqa/runner";
import { questionsOf, scoreQuestions, squadFileSchema, summarize, type Question } from "@bertqa/squad";
import { Command } from "commander";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { collate, planBatches } from "../packages/bertqa/src/batches.ts";
import { describeProcessor } from "../packages/bertqa/src/cli/processor.ts";
import { modelFiles, readExport } from "../packages/bertqa/src/export-files.ts";
import { loadQuestionAnswering } from "../packages/bertqa/src/node.ts";
import { defaultLimits } from "../packages/bertqa/src/limits.ts";
import { openSession } from "../packages/bertqa/src/session.ts";

interface Options {
  readonly model: string;
  readonly data: string;
  readonly peer: string;
  readonly questions: number;
  readonly rounds: number;
}

/** One run of one side: its questions a second, and exact match where it answers. */
interface Result {
  readonly seconds: number;
  readonly exact?: number;
}

type Side = "int8" | "float32" | "runtime";
const torchFloat32 = "PyTorch float32, padded to the batch";

const program = new Command("bench")
  .description("Times an exported model on SQuAD questions, beside PyTorch and Python's onnxruntime.")
  .requiredOption("--model <folder>", "an export")
  .requiredOption("--data <file>", "SQuAD 2.0 JSON")
  .requiredOption("--peer <python>", "interpreter with torch, transformers and onnxruntime")
  .option("--questions <n>", "questions to time, evenly spread over the file; exact match is of all", Number, 400)
  .option("--rounds <n>", "how often the sides take turns; the median counts", Number, 3)
  .option("--side <precision>", "one side, for the bench itself")
  .parse();

await runCommand(async () => {
  const options = program.opts<Options & { side?: Side }>();
  if (options.side !== undefined) {
    const result = options.side === "runtime" ? await runRuntime(options) : await runOurs(options, options.side);
    process.stdout.write(JSON.stringify(result));
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "bertqa-bench-"));
  try {
    const workFile = join(folder, "work.json");
    await writeFile(workFile, JSON.stringify(await workOf(options)));
    const times = takeTurns(options, workFile);
    const exact = { int8: exactOf(options, "int8"), float32: exactOf(options, "float32") };
    const installed = await installPacked(folder);
    await report(options, times, exact, installed.seconds, timeColdAsk(options.model, installed));
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function questionsFrom({ data, questions: count }: Options): Promise<Question[]> {
  const all = questionsOf(squadFileSchema.parse(JSON.parse(await readFile(data, "utf8"))));
  if (count >= all.length) return all;
  // Whole stretches of 20, so that neighbours share passages as they do in the file.
  const stretches = Math.ceil(count / 20);
  const starts = Array.from({ length: stretches }, (_, i) => Math.floor((i * all.length) / stretches));
  return starts.flatMap((start) => all.slice(start, start + 20)).slice(0, count);
}

/** Tokenizing, model, search and decision; loading and a warm-up are not counted. */
async function runOurs(options: Options, precision: "int8" | "float32"): Promise<Result> {
  const questions = await questionsFrom(options);
  const qa = await loadQuestionAnswering(options.model, { precision });
  await qa.answerAll(questions.slice(0, 20));
  const startedMs = performance.now();
  const answers = await qa.answerAll(questions);
  const seconds = (performance.now() - startedMs) / 1000;
  await qa.dispose();
  const answerOf = new Map(questions.map(({ id }, i) => [id, answers[i]!.answer]));
  const { exact } = summarize(scoreQuestions(questions, (id) => answerOf.get(id)).questions);
  return { seconds, exact: exact! };
}

/** The int8 file alone on the batches that Python's onnxruntime gets, as it gets them. */
async function runRuntime(options: Options): Promise<Result> {
  const { windows, batches } = await plan(options);
  const session = await openSession(await import("onnxruntime-node"), join(options.model, modelFiles.int8), {}, "");
  await session.run(collate(windows, batches.at(-1)!));
  const startedMs = performance.now();
  for (const batch of batches) await session.run(collate(windows, batch));
  const seconds = (performance.now() - startedMs) / 1000;
  await session.dispose();
  return { seconds };
}

async function plan(options: Options) {
  const questions = await questionsFrom(options);
  const read = (name: string) => readFile(join(options.model, name)).catch(() => undefined);
  const { tokenizer, decision } = await readExport({ where: options.model, read });
  const windows = questions.flatMap(
    ({ question, context }): readonly QuestionWindow[] =>
      windowsFor(tokenizer, question, readPassage(tokenizer, context), decision.window).windows,
  );
  const lengths = windows.map(({ inputIds }) => inputIds.length);
  return { questions, decision, windows, batches: planBatches(lengths, defaultLimits.batchTokens) };
}

/** What the peers get: texts for PyTorch, and our very batches for onnxruntime. */
async function workOf(options: Options) {
  const { questions, decision, windows, batches } = await plan(options);
  const rows = batches.map((batch) =>
    batch.rows.map((row) => ({ ids: [...windows[row]!.inputIds], contextFirstToken: windows[row]!.contextFirstToken })),
  );
  const pairs = questions.map(({ question, context }) => [question.trimStart(), context]);
  return { model: options.model, onnx: modelFiles.int8, pairs, window: decision.window, batches: rows };
}

/** The command of one of our sides, as a process of its own. */
function ours({ model, data, peer, questions }: Options, side: Side): string[] {
  const flags = ["--model", model, "--data", data, "--peer", peer, "--questions", String(questions), "--side", side];
  return [process.execPath, "--import", "tsx", join(import.meta.dirname, "ask.ts"), ...flags];
}

function resultOf([command = "", ...args]: readonly string[]): Result {
  return JSON.parse(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) as Result;
}

/** Exact match over the whole file: fewer questions would tell little about a bar of one point. */
function exactOf(options: Options, side: "int8" | "float32"): number {
  return resultOf(ours({ ...options, questions: Number.MAX_SAFE_INTEGER }, side)).exact!;
}

function takeTurns(options: Options, workFile: string): Map<string, Result[]> {
  const theirs = (side: string) => [options.peer, join(import.meta.dirname, "peer_ask.py"), side, workFile];
  const sides = new Map([
    ["bertqa int8", ours(options, "int8")],
    ["int8 file in Node, model alone", ours(options, "runtime")],
    ["int8 file in Python, model alone", theirs("onnxruntime")],
    ["bertqa float32", ours(options, "float32")],
    [torchFloat32, theirs("torch")],
    ...(multipliesBfloat16() ? ([["PyTorch bfloat16", theirs("torch-bfloat16")]] as const) : []),
  ]);
  const results = new Map([...sides.keys()].map((name) => [name, [] as Result[]]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [name, command] of sides) results.get(name)!.push(resultOf(command));
  }
  return results;
}

/** Elsewhere PyTorch emulates it, slower than float32. */
function multipliesBfloat16(): boolean {
  return existsSync("/proc/cpuinfo") && /\b(avx512_bf16|amx_bf16)\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
}

interface Installed {
  readonly folder: string;
  readonly bin: string;
  /** Of `npm install`. */
  readonly seconds: number;
}

/** Packs the package and installs it in an empty folder, as a user does. */
async function installPacked(temporary: string): Promise<Installed> {
  const cwd = join(import.meta.dirname, "../packages/bertqa");
  execFileSync("npm", ["run", "build"], { cwd, stdio: "ignore" });
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", temporary];
  const packed = execFileSync("npm", pack, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const tarball = join(temporary, (JSON.parse(packed) as { filename: string }[])[0]!.filename);
  const folder = await mkdtemp(join(temporary, "installed-"));
  await writeFile(join(folder, "package.json"), "{}");
  const startedMs = performance.now();
  execFileSync("npm", ["install", tarball, "--no-audit", "--no-fund"], { cwd: folder, stdio: "ignore" });
  const seconds = (performance.now() - startedMs) / 1000;
  return { folder, bin: join(folder, "node_modules/bertqa/bin/bertqa.mjs"), seconds };
}

/** The packed command with one question, as a process of its own: seconds, five times. */
function timeColdAsk(model: string, { folder, bin }: Installed): number[] {
  const args = [bin, "ask", "--model", resolve(model), "--context", "-", "Who wrote it?"];
  return Array.from({ length: 5 }, () => {
    const startedMs = performance.now();
    execFileSync(process.execPath, args, { cwd: folder, input: "Ada Lovelace wrote the first program in 1843." });
    return (performance.now() - startedMs) / 1000;
  });
}

async function report(
  { questions }: Options,
  results: Map<string, Result[]>,
  exact: { readonly int8: number; readonly float32: number },
  installSeconds: number,
  cold: readonly number[],
): Promise<void> {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const seconds = new Map([...results].map(([name, runs]) => [name, median(runs.map((run) => run.seconds))]));
  const lines = [`${await describeProcessor()}, Node ${process.versions.node}, ${questions} questions`, ""];
  lines.push("| side | questions/s | all rounds |", "| --- | --- | --- |");
  for (const [name, runs] of results) {
    const rates = runs.map((run) => (questions / run.seconds).toFixed(1));
    const rate = (questions / seconds.get(name)!).toFixed(1);
    lines.push(`| ${name} | ${rate} | ${rates.join(", ")} |`);
  }
  const [int8, node, python, float32, ...torch] = [...seconds.values()] as [number, number, number, number, number];
  const best = Math.min(...torch);
  lines.push("", "| bar | at least | measured |", "| --- | --- | --- |");
  lines.push(`| int8 over PyTorch float32 | 1.8 | ${(seconds.get(torchFloat32)! / int8).toFixed(2)} |`);
  const points = `${exact.int8.toFixed(2)} − ${exact.float32.toFixed(2)}`;
  lines.push(
    `| exact match of int8 over float32, all questions | −1.0 | ${(exact.int8 - exact.float32).toFixed(2)} (${points}) |`,
  );
  lines.push(`| float32 over PyTorch's best precision | 1.1 | ${(best / float32).toFixed(2)} |`);
  lines.push(`| int8 file in Node over the same in Python | 0.95 | ${(python / node).toFixed(2)} |`);
  lines.push(`| the packed command, one question, cold: seconds | at most 1.0 | ${median(cold).toFixed(2)} |`);
  lines.push(`| npm install of the package: seconds | at most 30 | ${installSeconds.toFixed(1)} |`, "");
  process.stdout.write(lines.join("\n"));
}
