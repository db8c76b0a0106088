// The commands behind `npx nx run demo:build` and `demo:serve`.
import { BertqaError } from "@bertqa/squad";
import { Command } from "commander";
import { buildDemo } from "./build.ts";
import { serveFolder } from "./serve.ts";

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
  .option("--port <n>", "port", Number, 8000)
  .action(async ({ folder, port }: { folder: string; port: number }) => {
    const { address } = await serveFolder(folder, { port });
    process.stderr.write(`demo      ${address}\n`);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof BertqaError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
