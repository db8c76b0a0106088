import { Command } from "commander";
import { runCommand } from "@bertqa/runner";
import { diagnose } from "@bertqa/engine";
import { stageCommand } from "./commands/stage.ts";
import { formatFindings } from "./doctor-table.ts";

const program = new Command("bertqa")
  .description("Fine-tune BERT for extractive question answering")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command("doctor")
  .description("look at what bertqa needs on this machine, and say what to do where something is missing")
  .option("--json", "print the findings as JSON")
  .option("--debug", "print the stack of an error")
  .action(({ json }: { json?: boolean }) =>
    runCommand(async () => {
      const findings = await diagnose();
      const isWell = findings.every((finding) => finding.status !== "missing");
      process.stdout.write(json ? `${JSON.stringify({ isWell, findings }, null, 2)}\n` : formatFindings(findings));
      process.exitCode = isWell ? 0 : 1;
    }),
  );

program.addCommand(stageCommand().option("--debug", "print the stack of an error"));

await runCommand(async () => void (await program.parseAsync()));
