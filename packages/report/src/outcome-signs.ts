import type { Outcome } from "@bertqa/squad";

/** A sign before each outcome: colour is not the only difference. Node and browser share it. */
export const outcomeSigns: Readonly<Record<Outcome, string>> = {
  right: "✓",
  partial: "◐",
  wrong: "✗",
  "missed answer": "∅",
  "should be no answer": "!",
};
