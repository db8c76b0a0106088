import { createReporter } from "@bertqa/runner";
import { runNx } from "@bertqa/remote-cache/client";

/** Runs the workspace's Nx as it is; with a shared cache, behind a proxy that never fails the run. Ends with Nx's exit code. */
export async function nx(words: readonly string[]): Promise<void> {
  const reporter = createReporter("cache");
  process.exitCode = await runNx(words, {
    environment: process.env,
    folder: process.cwd(),
    say: (text) => reporter.line(text),
    isTerminal: process.stdout.isTTY,
  });
}
