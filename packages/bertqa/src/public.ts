/** What both entries share. */
export { BertqaError } from "@bertqa/squad";
export type { Decision } from "@bertqa/answers";
export type { Limits } from "./limits.ts";
// The class as a type alone: a model is loaded, never put together from parts that are not public.
export type {
  Candidate,
  CharacterRange,
  Precision,
  QuestionAnswer,
  QuestionAnswering,
  QuestionInput,
  RunOptions,
  Runtime,
} from "./question-answering.ts";
