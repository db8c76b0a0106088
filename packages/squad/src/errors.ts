/** What an error message needs so that its reader can act: see CONTRIBUTING.md, "Errors". */
export interface ProblemDetails {
  /** What to change or rerun, as an imperative sentence. */
  readonly remedy?: string;
  /** The file, artifact, row or address that the problem is about. */
  readonly where?: string;
  readonly cause?: unknown;
}

/**
 * A problem that the user can fix: bad input, bad options, a missing tool, a full disk.
 * Its message is one line: `stage: what is wrong. What to do. (where)`. The CLI prints it without a stack.
 * Anything that is not a `BertqaError` is a defect of ours.
 */
export class BertqaError extends Error {
  readonly stage: string;

  constructor(stage: string, problem: string, details: ProblemDetails = {}) {
    const parts = [`${stage}: ${withFullStop(problem)}`];
    if (details.remedy) parts.push(withFullStop(details.remedy));
    if (details.where) parts.push(`(${details.where})`);
    super(printable(parts.join(" ")), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BertqaError";
    this.stage = stage;
  }
}

/** A tensor or array has another shape than the code that takes it needs. */
export class ShapeError extends BertqaError {
  constructor(stage: string, problem: string, details: ProblemDetails = {}) {
    super(stage, problem, details);
    this.name = "ShapeError";
  }
}

/**
 * A text that may hold names and values from elsewhere, for a terminal and one line of a log: control characters, which could move
 * its cursor, colour it, change its title or turn the direction of what follows, are written as escapes (`\\x1b`).
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** `1 window`, `2 windows`, `10,299 questions`. */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

function withFullStop(sentence: string): string {
  return /[.!?:)\]}]$/.test(sentence) ? sentence : `${sentence}.`;
}
