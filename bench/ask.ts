// `npm run bench:ask`: questions a second of an exported model, beside PyTorch and Python's onnxruntime, in turn.
import { readPassage, windowsFor, type QuestionWindow } from "@bertqa/answers";
import { runCommand } from "@bertqa/runner";
import { questionsOf, scoreQuestions, squadFileSchema, summarize, type Question } from "@bertqa/squad";
import { Command } from "commander";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collate, planBatches } from "../packages/bertqa/src/batches.ts";
import { describeProcessor } from "../packages/bertqa/src/cli/processor.ts";
import { modelFiles, readExport } from "../packages/bertqa/src/export-files.ts";
import { loadQuestionAnswering } from "../packages/bertqa/src/node.ts";
import { defaultLimits } from "../packages/bertqa/src/question-answering.ts";
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

const program = new Command("bench")
  .description("Times an exported model on SQuAD questions, beside PyTorch and Python's onnxruntime.")
  .requiredOption("--model <folder>", "an export")
  .requiredOption("--data <file>", "SQuAD 2.0 JSON")
  .requiredOption("--peer <python>", "interpreter with torch, transformers and onnxruntime")
  .option("--questions <n>", "questions, evenly spread over the file", Number, 600)
  .option("--rounds <n>", "how often the sides take turns; the median counts", Number, 3)
  .option("--side <precision>", "one side, for the bench itself")
  .parse();

await runCommand(async () => {
  const options = program.opts<Options & { side?: "int8" | "float32" | "runtime" }>();
  if (options.side !== undefined) {
    const result = options.side === "runtime" ? await runRuntime(options) : await runOurs(options, options.side);
    process.stdout.write(JSON.stringify(result));
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "bertqa-bench-"));
  try {
    const workFile = join(folder, "work.json");
    await writeFile(workFile, JSON.stringify(await workOf(options)));
    await report(options, takeTurns(options, workFile), timeColdAsk(options.model, folder));
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function questionsFrom({ data, questions: count }: Options): Promise<Question[]> {
  const all = questionsOf(squadFileSchema.parse(JSON.parse(await readFile(data, "utf8"))));
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

function takeTurns({ model, data, peer, questions, rounds }: Options, workFile: string): Map<string, Result[]> {
  const here = import.meta.dirname;
  const ours = (side: string) => {
    const flags = ["--model", model, "--data", data, "--peer", peer, "--questions", String(questions), "--side", side];
    return [process.execPath, "--import", "tsx", join(here, "ask.ts"), ...flags];
  };
  const theirs = (side: string) => [peer, join(here, "peer_ask.py"), side, workFile];
  const sides = new Map([
    ["bertqa int8", ours("int8")],
    ["int8 file in Node, model alone", ours("runtime")],
    ["int8 file in Python, model alone", theirs("onnxruntime")],
    ["bertqa float32", ours("float32")],
    ["PyTorch float32, padded to the batch", theirs("torch")],
  ]);
  const results = new Map([...sides.keys()].map((name) => [name, [] as Result[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, [command = "", ...args]] of sides) {
      const output = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      results.get(name)!.push(JSON.parse(output) as Result);
    }
  }
  return results;
}

/** The built command with one question, as a process of its own: seconds, five times. */
function timeColdAsk(model: string, folder: string): number[] {
  const root = join(import.meta.dirname, "..");
  execFileSync("npm", ["run", "build", "--workspace", "bertqa"], { cwd: root, stdio: "ignore" });
  const args = [join(root, "packages/bertqa/dist/cli.js"), "ask", "--model", model, "--context", "-", "Who wrote it?"];
  return Array.from({ length: 5 }, () => {
    const startedMs = performance.now();
    execFileSync(process.execPath, args, { cwd: folder, input: "Ada Lovelace wrote the first program in 1843." });
    return (performance.now() - startedMs) / 1000;
  });
}

async function report({ questions }: Options, results: Map<string, Result[]>, cold: number[]): Promise<void> {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const seconds = new Map([...results].map(([name, runs]) => [name, median(runs.map((run) => run.seconds))]));
  const lines = [`${await describeProcessor()}, Node ${process.versions.node}, ${questions} questions`, ""];
  lines.push("| side | questions/s | all rounds | exact match |", "| --- | --- | --- | --- |");
  for (const [name, runs] of results) {
    const rates = runs.map((run) => (questions / run.seconds).toFixed(1));
    const rate = (questions / seconds.get(name)!).toFixed(1);
    lines.push(`| ${name} | ${rate} | ${rates.join(", ")} | ${runs[0]!.exact?.toFixed(1) ?? "–"} |`);
  }
  const [int8, node, python, float32, torch] = [...seconds.values()] as [number, number, number, number, number];
  lines.push("", "| bar | at least | measured |", "| --- | --- | --- |");
  lines.push(`| int8 over PyTorch float32 | 1.8 | ${(torch / int8).toFixed(2)} |`);
  lines.push(`| float32 over PyTorch | 1.1 | ${(torch / float32).toFixed(2)} |`);
  lines.push(`| int8 file in Node over the same in Python | 0.95 | ${(python / node).toFixed(2)} |`);
  lines.push(`| cold ask, seconds | at most 1.0 | ${median(cold).toFixed(2)} |`, "");
  process.stdout.write(lines.join("\n"));
}
