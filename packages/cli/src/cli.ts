import { Command } from "commander";
import { addCommands } from "./program.ts";

const program = new Command("bertqa")
  .description("Fine-tune BERT for extractive question answering")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
addCommands(program);
await program.parseAsync();
