import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface OfficialArguments {
  readonly dataFile: string;
  readonly predictionsFile: string;
  readonly outFile: string | undefined;
  readonly naProbFile: string | undefined;
  readonly naProbThreshold: number;
  readonly imageFolder: string | undefined;
  readonly isMissingWrong: boolean;
}

/** A wrong use of the command line; `help` where help was asked for. */
export class UsageProblem extends Error {}

export const usage = `usage: bertqa-evaluate [-h] [--out-file eval.json] [--na-prob-file na_prob.json]
                       [--na-prob-thresh NA_PROB_THRESH] [--out-image-dir out_images]
                       [--verbose] [--missing-as-wrong]
                       data.json pred.json`;

export const help = `${usage}

Scores SQuAD 2.0 predictions as evaluate-v2.0.py does, to the last digit.

positional arguments:
  data.json             questions and gold answers, in SQuAD format
  pred.json             answer text by question id; "" for no answer

options:
  -h, --help            show this help and exit
  -o, --out-file eval.json
                        write the scores to a file (default: stdout)
  -n, --na-prob-file na_prob.json
                        probability of no answer by question id; adds the best thresholds
  -t, --na-prob-thresh NA_PROB_THRESH
                        take "" for the prediction where the probability exceeds this (default: 1.0)
  -p, --out-image-dir out_images
                        with -n: add average precisions, save curves and histograms there
  -v, --verbose         accepted and ignored, as in the script
  --missing-as-wrong    a question without a prediction scores 0 (default: an error)`;

const options = {
  help: { type: "boolean", short: "h" },
  "out-file": { type: "string", short: "o" },
  "na-prob-file": { type: "string", short: "n" },
  "na-prob-thresh": { type: "string", short: "t" },
  "out-image-dir": { type: "string", short: "p" },
  verbose: { type: "boolean", short: "v" },
  "missing-as-wrong": { type: "boolean" },
} as const;

/**
 * Reads the arguments as Python's argparse does: options and files in any order, long options by any unique beginning,
 * negative numbers as values.
 *
 * @returns undefined where help was asked for
 * @throws UsageProblem
 */
export function readArguments(argv: readonly string[]): OfficialArguments | undefined {
  let parsed;
  try {
    parsed = parseArgs({ args: argv.flatMap(expand), options, allowPositionals: true });
  } catch (error) {
    throw new UsageProblem((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const [dataFile, predictionsFile, ...rest] = positionals;
  if (dataFile === undefined || predictionsFile === undefined) {
    const missing = dataFile === undefined ? "data.json, pred.json" : "pred.json";
    throw new UsageProblem(`the following arguments are required: ${missing}`);
  }
  if (rest.length > 0) throw new UsageProblem(`unrecognized arguments: ${rest.join(" ")}`);
  return {
    dataFile,
    predictionsFile,
    outFile: values["out-file"],
    naProbFile: values["na-prob-file"],
    naProbThreshold: pythonNumber(values["na-prob-thresh"] ?? "1.0"),
    imageFolder: values["out-image-dir"],
    isMissingWrong: values["missing-as-wrong"] ?? false,
  };
}

/** Writes out a shortened long option, and joins a negative threshold to the option before it. */
function expand(argument: string, at: number, argv: readonly string[]): string[] {
  const isThresholdNext = (text: string | undefined) =>
    text === "-t" || (text?.startsWith("--na-prob-t") && !text.includes("="));
  const next = argv[at + 1];
  if (isThresholdNext(argument) && next !== undefined) return [`--na-prob-thresh=${next}`];
  if (at > 0 && isThresholdNext(argv[at - 1])) return [];
  const [, name, value] = /^--([a-z-]+)(=.*)?$/s.exec(argument) ?? [];
  if (name === undefined || name in options) return [argument];
  const candidates = Object.keys(options).filter((option) => option.startsWith(name));
  return candidates.length === 1 ? [`--${candidates[0]}${value ?? ""}`] : [argument];
}

function pythonNumber(text: string): number {
  const plain = text.trim().toLowerCase();
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(plain)) return Number(plain);
  const infinite = /^([+-]?)inf(?:inity)?$/.exec(plain);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  throw new UsageProblem(`argument --na-prob-thresh/-t: invalid float value: '${text}'`);
}
