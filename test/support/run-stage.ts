import { silentReporter, type Artifact, type Reporter } from "@bertqa/core";
import { runStage, type AnyStage } from "@bertqa/runner";

/** A pipeline's folder and that of its artifacts, in a test. */
export interface TestFolders {
  readonly pipelineFolder: string;
  readonly artifactsFolder: string;
}

/** Runs a stage with options that are at hand instead of in a file. */
export function runIn(
  stage: AnyStage,
  options: object,
  { pipelineFolder, artifactsFolder }: TestFolders,
  reporter: Reporter = silentReporter,
): Promise<Artifact> {
  return runStage(stage, pipelineFolder, { artifactsFolder, options: { ...options }, reporter });
}
