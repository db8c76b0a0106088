import { createReporter } from "@bertqa/runner";
import { runNx } from "@bertqa/remote-cache/client";

/** Runs the workspace's Nx as it is; with a shared cache, behind a proxy that never fails the run. Ends with Nx's exit code. */
export async function nx(words: readonly string[]): Promise<void> {
  process.exitCode = await runNx(words, {
    environment: process.env,
    folder: process.cwd(),
    say: createReporter("cache").line,
    isTerminal: process.stdout.isTTY,
  });
}
