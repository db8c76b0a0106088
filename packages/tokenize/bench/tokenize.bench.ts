import { openDataset, parseJson, questionsOf, squadFileSchema, type Question } from "@bertqa/core";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tokenizeOptionsSchema } from "../src/options.ts";
import { encodeQuestions } from "../src/encode.ts";
import { startTally, windowShards } from "../src/split.ts";
import { loadTokenizer, tokenizersVersion, type BertTokenizer } from "../src/tokenizer.ts";

/**
 * Windows a second, from questions in memory to labelled windows in memory, on one file: ours, and with `--peer` run_qa's way
 * in Python, in turn, with the same threads. Loading data and tokenizer is not timed; each side warms up first.
 *
 * `npm run bench:tokenize -- --data train.json --encoder FOLDER [--peer PYTHON] [--threads N] [--repeats N] [--rounds N]`
 */
interface Timing {
  readonly name: string;
  readonly seconds: number;
  readonly windows: number;
}

const options = tokenizeOptionsSchema.parse({});
const { values } = parseArgs({
  options: {
    data: { type: "string" },
    encoder: { type: "string", default: "artifacts/pipeline/fetch/encoder" },
    peer: { type: "string" },
    threads: { type: "string", default: String(availableParallelism()) },
    repeats: { type: "string", default: "3" },
    rounds: { type: "string", default: "2" },
  },
});
const threads = Number(values.threads);
const repeats = Number(values.repeats);

const questions = await loadQuestions();
const tokenizerPath = join(values.encoder, "tokenizer.json");
const tokenizer = await loadTokenizer(readFileSync(tokenizerPath, "utf8"), tokenizerPath, threads);
const timings: Timing[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  timings.push(await timeOurs(tokenizer));
  if (values.peer && values.data) timings.push(timePeer(values.peer, values.data));
}
print();

async function loadQuestions(): Promise<Question[]> {
  if (values.data === undefined) {
    return (await openDataset("bench", join(values.encoder, ".."))).questions("train");
  }
  return questionsOf(parseJson("bench", readFileSync(values.data, "utf8"), values.data, squadFileSchema));
}

async function timeOurs(tokenizer: BertTokenizer): Promise<Timing> {
  const seconds: number[] = [];
  let windows = 0;
  for (let pass = 0; pass <= repeats; pass++) {
    const startedMs = performance.now();
    const questionTokens = await encodeQuestions(tokenizer, questions, options.maxQuestionTokens);
    const tally = startTally({ questions, questionTokens });
    const task = { tokenizer, questions, questionTokens, options, onProgress: () => undefined };
    for await (const _ of windowShards(task, tally)) continue;
    seconds.push((performance.now() - startedMs) / 1000);
    windows = tally.counts.windows;
  }
  return { name: `bertqa, tokenizers ${tokenizersVersion()}`, seconds: Math.min(...seconds.slice(1)), windows };
}

function timePeer(python: string, data: string): Timing {
  const script = fileURLToPath(new URL("peer_tokenize.py", import.meta.url));
  const { maxTokens, windowOverlapTokens } = options;
  const flags = {
    data,
    encoder: values.encoder,
    threads,
    repeats,
    "max-tokens": maxTokens,
    overlap: windowOverlapTokens,
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // transformers warns about questions longer than the encoder's positions, and the like: not of interest here.
  const output = execFileSync(python, [script, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return JSON.parse(output) as Timing;
}

function print(): void {
  const best = new Map<string, Timing>();
  for (const timing of timings) {
    const seen = best.get(timing.name);
    if (!seen || timing.seconds < seen.seconds) best.set(timing.name, timing);
  }
  const rows = [...best.values()];
  const rate = ({ windows, seconds }: Timing) => windows / seconds;
  const lines = rows.map((row) => {
    const cells = [String(row.windows), row.seconds.toFixed(2), rate(row).toFixed(0)];
    return row.name.padEnd(46) + cells.map((cell) => cell.padStart(11)).join("");
  });
  const header = "".padEnd(46) + ["windows", "seconds", "windows/s"].map((cell) => cell.padStart(11)).join("");
  const [ours, peer] = rows;
  const ratio = ours && peer ? [`ratio ${(rate(ours) / rate(peer)).toFixed(1)} ×`] : [];
  const machine = `${cpus()[0]?.model ?? "unknown CPU"}, ${threads} threads, Node ${process.versions.node}`;
  const data = `${questions.length} questions, windows of ${options.maxTokens}, overlap ${options.windowOverlapTokens}`;
  process.stdout.write(`${[machine, data, header, ...lines, ...ratio].join("\n")}\n`);
}
