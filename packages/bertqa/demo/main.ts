// The commands behind `npx nx run demo:build` and `demo:serve`.
import { stopOnSignals } from "@bertqa/http";
import { runCommand } from "@bertqa/runner/command";
import { Command } from "commander";
import { portNumber } from "../src/cli/commands.ts";
import { buildDemo } from "./build.ts";
import { serveDemo } from "./serve.ts";

const defaultOut = "dist/demo";

const program = new Command("demo").description("A static page whose model answers in the browser");
program
  .command("build")
  .description("write the page as a folder of static files")
  .requiredOption("--model <folder>", "an export")
  .option("--name <text>", "what the page calls the model", "bertqa's sample model")
  .option("--out <folder>", "folder to write", defaultOut)
  .action(async (options: { model: string; name: string; out: string }) => {
    const { question, answer } = await buildDemo(options);
    process.stderr.write(`demo      self-test: ${question} ${answer === "" ? "no answer" : answer}\n`);
    process.stdout.write(`${options.out}\n`);
  });
program
  .command("serve")
  .description("serve it on this machine, with the headers that threads need")
  .option("--folder <folder>", "what build wrote", defaultOut)
  .option("--port <n>", "port", portNumber, 8000)
  .action(async ({ folder, port }: { folder: string; port: number }) => {
    const service = await serveDemo(folder, port);
    stopOnSignals(service);
    process.stderr.write(`demo      ${await service.listen()}\n`);
  });

await runCommand(async () => void (await program.parseAsync()));
