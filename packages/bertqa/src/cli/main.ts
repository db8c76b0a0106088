import { runCommand } from "@bertqa/runner/command";
import { Command } from "commander";
import { addCommands } from "./commands.ts";
import { addTrainingCommands } from "./training-commands.ts";

const program = new Command("bertqa")
  .description("Answers questions from text with a BERT that you fine-tuned")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
addCommands(program);
void runCommand(async () => {
  await addTrainingCommands(program, process.argv.slice(2));
  await program.parseAsync();
});
