import { InvalidArgumentError, Option, type Command } from "commander";
import { defaultApiLimits, defaultLimits, defaultQueueLimits } from "../limits.ts";
import type { AskFlags, ModelFlags } from "./ask.ts";
import type { ServeFlags } from "./serve.ts";

/** Adds `ask`, `score` and `serve`. Each loads its code when it is called. */
export function addCommands(program: Command): void {
  const ask = program
    .command("ask")
    .description("answer questions from a passage or a folder of documents with an exported model")
    .argument("[questions...]", "questions")
    .option("--context <file>", 'the passage: a text file, or "-" for standard input')
    .option(
      "--questions <file>",
      'questions, one a line, as text or JSON with question, id, context; "-" for standard input',
    )
    .option("--documents <folder>", "search text and Markdown files, and read the best passages")
    .option("--passages <n>", "passages to read for a question", wholeNumber, 8)
    .option("--top-k <n>", "answers to show", wholeNumber, 1)
    .option("--json", "print JSON Lines");
  addModelOptions(ask, defaultLimits.maxPassageCharacters, ownThreads).action(
    async (words: string[], flags: AskFlags) => (await import("./ask.ts")).ask(words, flags),
  );

  const score = program
    .command("score")
    .description(
      "score an exported model on a SQuAD file by the official metric, at the threshold of its decision.json",
    )
    .requiredOption("--data <file>", "SQuAD 1.1 or 2.0 JSON");
  addModelOptions(score, defaultLimits.maxPassageCharacters, ownThreads).action(
    async (flags: ModelFlags & { readonly data: string }) => (await import("./score.ts")).score(flags),
  );

  const serve = program
    .command("serve")
    .description("answer over HTTP, with a page to ask in; the API is described at /openapi.json")
    .option("--host <address>", "address to listen on; other machines reach any that is not loopback", "127.0.0.1")
    .option("--port <n>", "port; 0 takes a free one", portNumber, 8080)
    .option("--documents <folder>", "text and Markdown files for POST /v1/search")
    .option("--token-file <file>", "bearer tokens that open the server, one a line; or one in BERTQA_TOKEN")
    .option("--open-to-all", "listen elsewhere than on loopback without a token")
    .option("--allowed-host <name...>", "host names to answer to, besides this machine's own")
    .option("--cors-origin <origin...>", "origins whose pages may call the server")
    .option("--max-questions <n>", `questions of a request; default ${defaultApiLimits.questions}`, wholeNumber)
    .option("--batch-tokens <n>", "run waiting windows together up to so many tokens; default: one by one", wholeNumber)
    .option(
      "--copies <n>",
      "of the model, that compute beside each other; default: as many as cores, at most 4",
      wholeNumber,
    )
    .option(
      "--max-waiting <n>",
      `questions that may wait before 429; default ${defaultQueueLimits.waitingQuestions}`,
      wholeNumber,
    )
    .option("--max-connections <n>", "open connections; default 512", wholeNumber)
    .addOption(
      new Option("--log-level <name>", "JSON Lines on standard error")
        .choices(["fatal", "error", "warn", "info", "debug", "silent"])
        .default("info"),
    );
  addModelOptions(serve, defaultApiLimits.passageCharacters, sharedThreads).action(async (flags: ServeFlags) =>
    (await import("./serve.ts")).serve(flags),
  );
}

/** What `--threads` says: a model alone has what its runtime takes; `serve` shares threads out to its copies. */
const ownThreads = "threads; default: all physical cores, at most 4 threads of onnxruntime-web";
const sharedThreads =
  "threads of all copies together; default: all physical cores for a window alone, all logical ones for several";

function addModelOptions(command: Command, passageCharacters: number, threads: string): Command {
  return command
    .option("--model <folder>", "an export; default: the newest of this workspace")
    .addOption(
      new Option("--precision <name>", "which model file to load").choices(["int8", "float32"]).default("int8"),
    )
    .addOption(
      new Option("--runtime <name>", "default: onnxruntime-node where it is installed").choices([
        "onnxruntime-node",
        "onnxruntime-web",
      ]),
    )
    .option("--threads <n>", threads, wholeNumber)
    .option("--max-passage-characters <n>", `refuse longer passages; default ${passageCharacters}`, wholeNumber)
    .option("--debug", "print the stack of an error");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a whole number above 0.");
}

/** An argument that is a port; 0 is any free one. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value < 65536) return value;
  throw new InvalidArgumentError("Expected a port, 0 to 65535.");
}
