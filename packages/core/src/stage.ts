import type { z } from "zod";
import type { ArtifactDraft } from "./artifact-draft.ts";
import type { Artifact } from "./artifact.ts";
import { openDataset, type DatasetArtifact } from "./artifacts/dataset.ts";
import { openEvaluation, type EvaluationArtifact } from "./artifacts/evaluation.ts";
import { openModel, type ModelArtifact } from "./artifacts/model.ts";
import { openPredictions, type PredictionsArtifact } from "./artifacts/predictions.ts";
import { openWindows, type WindowsArtifact } from "./artifacts/windows.ts";
import { openArtifact } from "./artifact.ts";
import type { ArtifactKind } from "./manifest.ts";
import type { Reporter } from "./reporter.ts";

/** What a slot of each kind gives to a stage. */
export interface OpenedKinds {
  dataset: DatasetArtifact;
  windows: WindowsArtifact;
  model: ModelArtifact;
  predictions: PredictionsArtifact;
  evaluation: EvaluationArtifact;
  export: { readonly artifact: Artifact };
}

/** The reader of each kind. */
export const openers: {
  readonly [K in ArtifactKind]: (stage: string, folder: string) => Promise<OpenedKinds[K]>;
} = {
  dataset: openDataset,
  windows: openWindows,
  model: openModel,
  predictions: openPredictions,
  evaluation: openEvaluation,
  export: async (stage, folder) => ({ artifact: await openArtifact(stage, folder, "export") }),
};

/** One artifact that a stage reads: its kind, and the stage that makes it. */
export interface StageRead<K extends ArtifactKind = ArtifactKind> {
  readonly kind: K;
  readonly from: string;
}
export type StageReads = Readonly<Record<string, StageRead>>;

/** Work of a run that a later start may take up: checkpoints. It lies beside the artifact and goes when the artifact is there. */
export interface WorkFolder {
  readonly folder: string;
  /** Where somebody resumed another run's work on purpose: what differed. It belongs in the manifest's `resolved`. */
  readonly resumedFrom?: string;
}

/** What {@link StageContext.work} needs to know whether work in progress is this run's. */
export interface WorkIdentity {
  /** Everything that decides the result: options, inputs and resolved values that do. */
  readonly decides: Readonly<Record<string, unknown>>;
  /** `import.meta.resolve` of the packages whose code decides it: what runs of their sources, and `native/`, is hashed. */
  readonly code: readonly string[];
}

/** What a stage's `run` gets. */
export interface StageContext<Options, Reads extends StageReads> {
  readonly options: Options;
  readonly inputs: { readonly [S in keyof Reads]: OpenedKinds[Reads[S]["kind"]] };
  readonly draft: ArtifactDraft;
  readonly reporter: Reporter;
  /** Name of the pipeline, and its folder: options files and local sources. */
  readonly pipeline: string;
  readonly pipelineFolder: string;
  /** The options file, for messages. */
  readonly where: string;
  /** Folder for records of this run that are no part of the artifact (times, rates, lists for people): `<stage>.log` beside it, made empty. */
  readonly logFolder: () => Promise<string>;
  /** The folder of work in progress; another run's work in it is named and moved aside. */
  readonly work: (identity: WorkIdentity) => Promise<WorkFolder>;
}

/** What a stage's `run` returns for the manifest. */
export interface StageResult {
  readonly counts: Readonly<Record<string, number>>;
  readonly versions?: Readonly<Record<string, string>>;
  /** What "auto" and its like came to. */
  readonly resolved?: Readonly<Record<string, unknown>>;
}

/** What a stage's `record` gets: the finished artifact, and where things lie. */
export interface RecordContext {
  readonly artifact: Artifact;
  readonly inputs: Readonly<Record<string, string>>;
  readonly pipelineFolder: string;
  /** Folder of the pipeline's artifacts and of what lies beside them. */
  readonly artifactsFolder: string;
  readonly reporter: Reporter;
  readonly elapsedMs: number;
}

/** A stage of the pipeline as a value. One runner owns its life: see `packages/runner`. */
export interface Stage<Schema extends z.ZodObject = z.ZodObject, Reads extends StageReads = StageReads> {
  readonly name: string;
  /** A sentence for the command line. */
  readonly summary: string;
  /** Schema of `<pipeline>/<name>.json`: strict, with every default. */
  readonly options: Schema;
  /** Options that decide no byte of the artifact: they stay out of its manifest. */
  readonly incidentalOptions?: readonly string[];
  readonly reads: Reads;
  readonly writes: ArtifactKind;
  /** Files of the user's own that it reads besides its options file; not all need be there. */
  localFiles?(options: z.output<Schema>, pipelineFolder: string): readonly string[];
  /** Whether it keeps work in progress, by {@link StageContext.work}. */
  readonly keepsWork?: boolean;
  /** Writes the artifact's files into `draft`. Its bytes depend on options and inputs alone, not on time or history. */
  run(context: StageContext<z.output<Schema>, Reads>): Promise<StageResult>;
  /** After the artifact is in its place: what depends on clock or history. Never cached, so it may write beside the artifact only. */
  record?(context: RecordContext): Promise<void>;
}

/** Types a stage by its schema and reads. */
export function defineStage<Schema extends z.ZodObject, const Reads extends StageReads>(
  stage: Stage<Schema, Reads>,
): Stage<Schema, Reads> {
  return stage;
}
