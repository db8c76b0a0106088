/** What both entries share. */
export { BertqaError } from "@bertqa/squad";
export type { Decision } from "@bertqa/answers";
export type { Limits } from "./limits.ts";
export {
  QuestionAnswering,
  type Candidate,
  type CharacterRange,
  type Precision,
  type QuestionAnswer,
  type QuestionInput,
  type RunOptions,
  type Runtime,
} from "./question-answering.ts";
