export {
  articleKey,
  BertqaError,
  countOf,
  isPlaced,
  printable,
  questionsOf,
  ShapeError,
  squadFileSchema,
  utf16OfCodePoint,
  type Answer,
  type PlacedAnswer,
  type Question,
  type SquadFile,
} from "@bertqa/squad";
export * from "./arrow.ts";
export * from "./artifact-draft.ts";
export * from "./artifact.ts";
export * from "./artifacts/dataset.ts";
export * from "./artifacts/evaluation.ts";
export * from "./artifacts/model.ts";
export * from "./artifacts/predictions.ts";
export * from "./artifacts/windows.ts";
export * from "./bert.ts";
export * from "./groups.ts";
export * from "./hash.ts";
export {
  artifactKinds,
  artifactNamePattern,
  DamagedArtifactError,
  manifestName,
  parseManifest,
  sha256Schema,
  stageOfKind,
  type ArtifactKind,
  type Manifest,
} from "./manifest.ts";
export * from "./options.ts";
export * from "./random.ts";
export * from "./reporter.ts";
export * from "./safetensors.ts";
export * from "./stage.ts";
export * from "./temporary.ts";
