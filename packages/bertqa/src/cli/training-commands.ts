import { BertqaError } from "@bertqa/squad";
import type { Command } from "commander";

/** The workspace's package with the training commands. It is no dependency: the published package goes without it. */
const trainingPackage = "@bertqa/cli";

/**
 * Adds the commands that fetch, train and evaluate, where the workspace's package is there. It is not loaded for a command
 * that this package has itself.
 *
 * @throws BertqaError for a command that only that package has, where it is not there
 */
export async function addTrainingCommands(program: Command, words: readonly string[]): Promise<void> {
  const [name] = words;
  if (name !== undefined && program.commands.some((command) => command.name() === name)) return;
  const found = await loadTrainingPackage();
  if (found) return found.addCommands(program);
  if (name === undefined || name.startsWith("-") || name === "help") return;
  throw new BertqaError("bertqa", `"${name}" is not among the commands of this package: ask, score`, {
    remedy:
      "Fetching, training and evaluating need the workspace: clone the repository, run npm ci in it and the command there",
  });
}

async function loadTrainingPackage(): Promise<{ addCommands(program: Command): void } | undefined> {
  try {
    import.meta.resolve(trainingPackage);
  } catch {
    return undefined;
  }
  return (await import(trainingPackage)) as { addCommands(program: Command): void };
}
