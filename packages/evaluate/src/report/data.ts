import type { Candidate, Question, TrainingRow } from "@bertqa/core";
import type { Evaluation } from "../results.ts";

/** Everything that the HTML report shows. Holds no date and no machine, so that equal data gives equal bytes. */
export interface ReportData {
  readonly pipeline: string;
  /** The encoder's or checkpoint's name, as people know it. */
  readonly model: string;
  readonly evaluation: Evaluation;
  /** Rows of train's log; empty where it is gone. */
  readonly trainingLog: readonly TrainingRow[];
  /** Questions of the dev file, in the order of `evaluation.questions`. */
  readonly questions: readonly Question[];
  /** Best span's text by question id, whatever the null odds. */
  readonly bestSpans: Readonly<Record<string, string>>;
  /** Candidates by question id, best first; a question may be absent (predictions that are not ours). */
  readonly nbest: Readonly<Record<string, readonly Candidate[]>>;
}
