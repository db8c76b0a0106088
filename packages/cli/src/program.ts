import { runCommand } from "@bertqa/runner/command";
import { InvalidArgumentError, type Command } from "commander";
import type { CompareOptions } from "./commands/compare.ts";
import type { StageFlags } from "./commands/stage.ts";
import { stageNames } from "./stages.ts";

/** Adds the commands of a workspace that trains. Each loads its code when it is called: none waits for TensorFlow in vain. */
export function addCommands(program: Command): void {
  program
    .command("doctor")
    .description("look at what bertqa needs on this machine, and say what to do where something is missing")
    .option("--json", "print the findings as JSON")
    .option("--debug", "print the stack of an error")
    .action((options: { json?: boolean }) =>
      runCommand(async () => (await import("./commands/doctor.ts")).doctor(options)),
    );

  program
    .command("stage")
    .description("run one stage of a pipeline, as Nx does, without its cache")
    .argument("<stage>", stageNames.join(", "))
    .argument("[folder]", "the pipeline's folder, which holds <stage>.json")
    .option("--resume <folder>", "continue from another run's work in progress, which was moved aside")
    .option("--print-schema", "print the JSON schema of <stage>.json")
    .option("--debug", "print the stack of an error")
    .action((name: string, folder: string | undefined, flags: StageFlags) =>
      runCommand(async () => (await import("./commands/stage.ts")).stage(name, folder, flags)),
    );

  program
    .command("compare")
    .description("compare an evaluation with an earlier one, by paired bootstrap over articles")
    .argument(
      "<run>",
      "pipeline folder, evaluation artifact, folder with predictions.json or predictions file; several seeds: A1,A2,A3",
    )
    .option(
      "--baseline <run>",
      'the same, the beginning of a hash in the history, or "last" for the evaluation before this one',
      "last",
    )
    .option(
      "--data <dev.json>",
      "questions in SQuAD format, where the pipeline has none: scores predictions, shows questions",
    )
    .option("--at <threshold>", "score evaluations at another of their thresholds: zero, tuned …", "primary")
    .option("--samples <n>", "resamples", wholeNumber(10), 10_000)
    .option("--seed <n>", "seed of the resamples", wholeNumber(0), 42)
    .option("--show <n>", "flipped questions to show each way", wholeNumber(0), 5)
    .option("--markdown", "print Markdown, for a pull request")
    .option("--json", "print all of it as JSON, every flipped question included")
    .option("--debug", "print the stack of an error")
    .action((run: string, options: CompareOptions) =>
      runCommand(async () => (await import("./commands/compare.ts")).compare(run, options)),
    );
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} on.`);
  };
}
