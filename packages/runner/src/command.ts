import { BertqaError, printable } from "@bertqa/squad";

/**
 * Runs a command's main function with the exit codes and messages that all commands share: a {@link BertqaError} prints its one
 * line and exits with 1; anything else is a defect of ours and prints its stack. `--debug` prints every stack with its causes. Where
 * nobody reads standard output any more, as after `| head -1`, it ends quietly, and where that goes to a full disk, with one line; its
 * work goes on where nobody reads standard error, that disk is full, or the terminal is gone: what that means the signal decides that
 * comes with it.
 */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  listenOnce(process.stdout, endUnread);
  listenOnce(process.stderr, goOnUnread);
  try {
    await main();
  } catch (error) {
    const lines = describeFailure(error, process.argv.includes("--debug")).split("\n");
    process.stderr.write(`${lines.map(printable).join("\n")}\n`);
    process.exitCode = 1;
  }
}

/** EFBIG: the file may not grow further, by `ulimit -f` or by its file system. */
const fullDisk: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Commands run within each other. */
function listenOnce(stream: NodeJS.WriteStream, listener: (error: NodeJS.ErrnoException) => void): void {
  if (!stream.listeners("error").includes(listener)) stream.on("error", listener);
}

function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  if (fullDisk.has(error.code)) {
    process.stderr.write("bertqa: the disk that standard output goes to is full. Free some space and run again.\n");
    process.exit(1);
  }
  goOnUnread(error);
}

/** EIO: a terminal that was closed. */
function goOnUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE" && error.code !== "EIO" && !fullDisk.has(error.code)) throw error;
}

/** What {@link runCommand} prints of an error. */
export function describeFailure(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof BertqaError && !debug) return error.message;
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${describeFailure(error.cause, true)}`;
}
