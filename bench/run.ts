// `npm run bench:train` and `npm run bench:predict`: ours and, with --peer, PyTorch's, in turn, on the same batches.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Command, Option } from "commander";
import { runCommand } from "@bertqa/runner";
import { describeDevice } from "@bertqa/engine";
import { countWork, planWork, type Work } from "./work.ts";

interface Options {
  readonly artifacts: string;
  readonly peer?: string;
  readonly peerPadding: readonly ("max" | "batch")[];
  readonly encoder?: string;
  readonly randomWeights: boolean;
  readonly batchWindows: number;
  readonly batches: number;
  readonly rounds: number;
  readonly precision: "auto" | "bfloat16" | "float32";
}

interface Result {
  readonly seconds: number;
  /** User and system time of all threads: other work on the machine moves it less than the clock. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** Ours: one batch of each shape, which compiles it, before the clock starts. */
  readonly warmUpSeconds?: number;
  readonly flopsPerSecond?: number;
  readonly peakFlops?: number;
}

const warmUpBatches = 3;

const program = new Command("bench")
  .description(
    "Times training or prediction, beside PyTorch where --peer names an interpreter with torch and transformers.",
  )
  .argument("<task>", "train or predict")
  .requiredOption("--artifacts <folder>", "a pipeline's artifacts, fetched and tokenized: their windows are the work")
  .option("--peer <python>", "interpreter with torch and transformers")
  .option(
    "--peer-padding <kinds...>",
    "batch (padded to the batch, in the faster precision of the machine) and max (run_qa's way)",
    ["batch"],
  )
  .option("--encoder <folder>", "Hugging Face folder (default: the artifacts' own)")
  .option("--random-weights", "take config.json alone, with random weights", false)
  .option("--batch-windows <n>", "windows a batch", Number, 16)
  .option("--batches <n>", "batches to time, after 3 to warm up", Number, 40)
  .option("--rounds <n>", "how often the sides take turns; the median counts", Number, 3)
  .addOption(new Option("--precision <p>", "of ours").choices(["auto", "bfloat16", "float32"]).default("auto"))
  .parse();

await runCommand(async () => {
  const options = program.opts<Options>();
  const task = program.args[0] === "predict" ? "predict" : "train";
  const folder = await mkdtemp(join(tmpdir(), "bertqa-bench-"));
  try {
    const work = await planWork(options.artifacts, workPlan(task, options));
    const workFile = join(folder, "work.json");
    await writeFile(workFile, JSON.stringify(work));
    const device = await describeDevice();
    const results = takeTurns(task, options, workFile, device.recommendedPrecision);
    report(work, results, options, task, device.instructionSets);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function workPlan(task: "train" | "predict", options: Options) {
  const split = task === "train" ? ("train" as const) : ("dev" as const);
  const { encoder, randomWeights, batchWindows, batches } = options;
  return { split, encoder, randomWeights, batchWindows, batchCount: batches + warmUpBatches, warmUpBatches };
}

/** Every side once a round, so that a machine whose speed drifts slows them all. */
function takeTurns(
  task: "train" | "predict",
  options: Options,
  workFile: string,
  fasterPrecision: "bfloat16" | "float32",
): Map<string, Result[]> {
  const precision = options.precision === "auto" ? fasterPrecision : options.precision;
  const here = import.meta.dirname;
  const sides = new Map<string, () => string>();
  sides.set(`bertqa ${precision}`, () =>
    run(process.execPath, ["--import", "tsx", join(here, "ours.ts"), task, workFile, precision]),
  );
  for (const padding of options.peer ? options.peerPadding : []) {
    // Where no instruction multiplies bfloat16, PyTorch's autocast is slower than its float32: that is no peer.
    const isBf16 = padding === "batch" && fasterPrecision === "bfloat16";
    const flags = ["--padding", padding, ...(isBf16 ? ["--bf16"] : [])];
    const name = `PyTorch ${isBf16 ? "bfloat16" : "float32"}, padded to ${padding === "batch" ? "the batch" : "384"}`;
    sides.set(name, () => run(options.peer as string, [join(here, "peer_qa.py"), task, "--work", workFile, ...flags]));
  }
  const results = new Map<string, Result[]>();
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, measure] of sides) {
      const result = JSON.parse(measure()) as Result;
      results.set(name, [...(results.get(name) ?? []), result]);
      const warmUp = result.warmUpSeconds
        ? ` after ${result.warmUpSeconds.toFixed(1)} s for one batch of each shape`
        : "";
      const seconds = `${result.seconds.toFixed(1)} s, CPU ${result.cpuSeconds.toFixed(1)} s`;
      process.stderr.write(`round ${round + 1}  ${name}  ${seconds}${warmUp}\n`);
    }
  }
  return results;
}

function run(command: string, args: readonly string[]): string {
  const output = execFileSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return output.trim().split("\n").at(-1) ?? "";
}

function report(
  work: Work,
  results: Map<string, Result[]>,
  options: Options,
  task: string,
  instructionSets: readonly string[],
): void {
  const { windows, tokens, padded } = countWork(work);
  const encoder = options.encoder ? basename(options.encoder) : "the artifacts' encoder";
  const rows = [...results].map(([name, list]) => {
    const seconds = median(list.map((result) => result.seconds));
    const share = median(list.map((result) => (result.flopsPerSecond ?? NaN) / (result.peakFlops ?? NaN)));
    return {
      name,
      rate: windows / seconds,
      cpuSeconds: median(list.map((result) => result.cpuSeconds)),
      tokenRate: tokens / seconds,
      peak: Math.max(...list.map((r) => r.peakBytes)),
      share,
    };
  });
  const ours = rows[0] as (typeof rows)[number];
  const lines = [
    `${task}: ${windows} windows in batches of ${options.batchWindows}, ${encoder}${options.randomWeights ? ", random weights" : ""}`,
    `${(100 * (1 - tokens / padded)).toFixed(1)} % padding · ${cpus()[0]?.model}, ${availableParallelism()} cores, ${instructionSets.join(" ")} · median of ${options.rounds}`,
    "",
    "| program | windows/s | real tokens/s | CPU s | peak memory | share of GEMM peak | ours is | by CPU s |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.rate.toFixed(1)} | ${row.tokenRate.toFixed(0)} | ${row.cpuSeconds.toFixed(1)} | ${(row.peak / 1e9).toFixed(2)} GB | ` +
        `${Number.isNaN(row.share) ? "" : `${(100 * row.share).toFixed(0)} %`} | ${row === ours ? " | " : `${(ours.rate / row.rate).toFixed(2)} × | ${(row.cpuSeconds / ours.cpuSeconds).toFixed(2)} ×`} |`,
    ),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
