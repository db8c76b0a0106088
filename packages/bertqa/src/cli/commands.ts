import { InvalidArgumentError, Option, type Command } from "commander";
import type { AskFlags, ModelFlags } from "./ask.ts";

/** Adds `ask` and `score`. Each loads its code when it is called. */
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
  addModelOptions(ask).action(async (words: string[], flags: AskFlags) => (await import("./ask.ts")).ask(words, flags));

  const score = program
    .command("score")
    .description(
      "score an exported model on a SQuAD file by the official metric, at the threshold of its decision.json",
    )
    .requiredOption("--data <file>", "SQuAD 1.1 or 2.0 JSON");
  addModelOptions(score).action(async (flags: ModelFlags & { readonly data: string }) =>
    (await import("./score.ts")).score(flags),
  );
}

function addModelOptions(command: Command): Command {
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
    .option("--threads <n>", "threads; default: all physical cores", wholeNumber)
    .option("--max-passage-characters <n>", "refuse longer passages; default 2000000", wholeNumber)
    .option("--debug", "print the stack of an error");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a whole number above 0.");
}
