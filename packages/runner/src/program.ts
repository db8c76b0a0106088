import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

export interface ProgramOptions {
  readonly cwd?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** What the program reads from its standard input. */
  readonly input?: string;
  /** Show its standard output on our standard error, where people read, instead of returning it. */
  readonly showOutput?: boolean;
}

export interface ProgramResult {
  /** 127 where the program is not there or may not be run, as in a shell; null where a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without a shell between. It is ended if this process ends first. */
export async function runProgram(
  command: string,
  programArguments: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { cwd, environment = process.env, input, showOutput = false } = options;
  const child = spawn(command, programArguments, {
    ...(cwd === undefined ? {} : { cwd }),
    env: environment,
    stdio: [input === undefined ? "ignore" : "pipe", showOutput ? 2 : "pipe", "pipe"],
  });
  const endWithUs = () => void child.kill();
  process.once("exit", endWithUs);
  child.stdin?.on("error", () => {}); // a program that ends before it has read all says why itself
  child.stdin?.end(input);
  const ended = new Promise<Pick<ProgramResult, "exitCode" | "signal">>((resolve) => {
    child.once("error", () => resolve({ exitCode: 127, signal: null }));
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal }));
  });
  try {
    const [{ exitCode, signal }, stdout, stderr] = await Promise.all([
      ended,
      child.stdout ? text(child.stdout) : "",
      child.stderr ? text(child.stderr) : "",
    ]);
    return { exitCode, signal, stdout, stderr };
  } finally {
    process.off("exit", endWithUs);
  }
}
