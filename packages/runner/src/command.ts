import { BertqaError, printable } from "@bertqa/squad";

/**
 * Runs a command's main function with the exit codes and messages that all commands share: a {@link BertqaError} prints its one
 * line and exits with 1; anything else is a defect of ours and prints its stack. `--debug` prints every stack with its causes.
 */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const lines = describeFailure(error, process.argv.includes("--debug")).split("\n");
    process.stderr.write(`${lines.map(printable).join("\n")}\n`);
    process.exitCode = 1;
  }
}

/** What {@link runCommand} prints of an error. */
export function describeFailure(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof BertqaError && !debug) return error.message;
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${describeFailure(error.cause, true)}`;
}
