import { BertqaError } from "@bertqa/squad";
import type { Command } from "commander";

/**
 * Adds the commands that fetch, train and evaluate, in the workspace: the published package goes without them. They are not loaded
 * for a command that this package has itself.
 *
 * @throws BertqaError for a command that only the workspace has, in the published package
 */
export async function addTrainingCommands(program: Command, words: readonly string[]): Promise<void> {
  const [name] = words;
  if (name !== undefined && program.commands.some((command) => command.name() === name)) return;
  if (import.meta.url.endsWith(".ts")) return (await import("@bertqa/cli")).addCommands(program);
  if (name === undefined || name.startsWith("-") || name === "help") return;
  const names = program.commands.map((command) => command.name()).join(", ");
  throw new BertqaError("bertqa", `"${name}" is not among the commands of this package: ${names}`, {
    remedy:
      "Fetching, training and evaluating need the workspace: clone the repository, run npm ci in it and the command there",
  });
}
