import { BertqaError } from "@bertqa/squad";
import { Command, CommanderError } from "commander";
import { addCommands } from "./commands.ts";
import { addTrainingCommands } from "./training-commands.ts";

const program = new Command("bertqa")
  .description("Answers questions from text with a BERT that you fine-tuned")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
addCommands(program);
void run();

async function run(): Promise<void> {
  try {
    await addTrainingCommands(program, process.argv.slice(2));
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = error instanceof CommanderError ? 2 : 1;
  }
}

/** One line for what the user can fix; the stack for a defect, and with --debug. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof BertqaError && !process.argv.includes("--debug")) return error.message;
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${String(error.cause)}`;
}
