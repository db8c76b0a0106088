export {
  articleKey,
  BertqaError,
  countCodePoints,
  isPlaced,
  questionsOf,
  ShapeError,
  sliceCodePoints,
  squadFileSchema,
  utf16OfCodePoint,
  type Answer,
  type PlacedAnswer,
  type Question,
  type SquadFile,
} from "@bertqa/squad";
export * from "./arrow.ts";
export * from "./artifact-writer.ts";
export * from "./artifact.ts";
export { artifactKinds, stageOfKind, type ArtifactKind, type Manifest } from "./manifest.ts";
export * from "./artifacts/dataset.ts";
export * from "./artifacts/model.ts";
export * from "./artifacts/predictions.ts";
export * from "./artifacts/windows.ts";
export * from "./bert.ts";
export * from "./cli.ts";
export * from "./options.ts";
export * from "./random.ts";
export * from "./report.ts";
export * from "./safetensors.ts";
export * from "./stage-command.ts";
