export type { AnswerRules } from "@bertqa/answers";
