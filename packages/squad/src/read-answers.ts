/** An answer as its file gives it. */
export interface RawGold {
  readonly text: string;
  /** As the file counts; undefined where it says nothing (absent, null, negative). */
  readonly start: number | undefined;
}

/** What a file's `answers` hold; `golds` is undefined where the file says nothing about answers. */
export interface RawGolds {
  readonly golds: readonly RawGold[] | undefined;
  /** Answers without text, which are not in `golds`. */
  readonly emptyCount?: number;
  readonly problem?: string;
}

/**
 * Reads `answers` in every shape that people's files have: SQuAD's list of `{text, answer_start}`, Hugging Face's
 * `{text: [], answer_start: []}`, one such object, a list of texts, a text. An empty text says that there is no answer.
 */
export function rawGolds(answers: unknown): RawGolds {
  if (answers === undefined || answers === null) return { golds: undefined };
  try {
    const all = entriesOf(answers).map(toGold);
    const golds = all.filter(({ text }) => text.trim() !== "");
    return { golds, emptyCount: all.length - golds.length };
  } catch (error) {
    if (!(error instanceof ShapeProblem)) throw error;
    return { golds: undefined, problem: error.message };
  }
}

class ShapeProblem extends Error {}

function entriesOf(answers: unknown): unknown[] {
  if (Array.isArray(answers)) return answers.filter((answer) => answer !== null);
  if (typeof answers !== "object" || answers === null) return [answers];
  const { text, answerStart, answer_start: starts = answerStart } = answers as Record<string, unknown>;
  if (!Array.isArray(text)) return [answers];
  if (starts === undefined || starts === null) return text;
  if (!Array.isArray(starts) || starts.length !== text.length) {
    const got = Array.isArray(starts) ? starts.length : typeName(starts);
    throw new ShapeProblem(`answers: got ${text.length} texts and ${got} in answer_start, expected as many`);
  }
  return text.map((one: unknown, i) => ({ text: one, answer_start: starts[i] as unknown }));
}

function toGold(answer: unknown): RawGold {
  const isText = typeof answer === "string" || typeof answer === "number";
  const record: Readonly<Record<string, unknown>> = isText ? { text: answer } : asRecord(answer);
  const { text } = record;
  // No text says "no answer", as an empty one does.
  if (text === null) return { text: "", start: undefined };
  if (typeof text !== "string" && typeof text !== "number") {
    throw new ShapeProblem(`answers: expected texts, got ${typeName(isText || text === undefined ? answer : text)}`);
  }
  return { text: String(text), start: toStart(statedStart(record)) };
}

/** Where an answer says that it starts; undefined where it does not say. */
export function statedStart({ answer_start, answerStart, start }: Readonly<Record<string, unknown>>): unknown {
  return answer_start ?? answerStart ?? start ?? undefined;
}

function toStart(start: unknown): number | undefined {
  if (start === undefined || start === null || start === "") return undefined;
  // "52"; 52.0 of pandas, which JSON's reader keeps as "52.0"; numpy's 52. and, in an array that holds a far larger one, 5.2e+01.
  const isNumber = typeof start === "string" && /^-?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(start.trim());
  const value = isNumber ? Number(start) : start;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new ShapeProblem(`answer_start: expected a whole number, got ${describe(start)}`);
  }
  return value < 0 ? undefined : value;
}

/** A flag as files write it. @returns undefined where absent, a text that says what is wrong where it is no flag */
export function readFlag(value: unknown): boolean | undefined | string {
  if (value === undefined || value === null || value === "") return undefined;
  const word = String(value).trim().toLowerCase();
  if (/^(true|1|1\.0)$/.test(word)) return true;
  if (/^(false|0|0\.0)$/.test(word)) return false;
  return `is_impossible: expected true or false, got ${describe(value)}`;
}

/** A title or id: a text, or a number by its digits. @returns undefined where absent, an Error where it is neither */
export function readName(key: string, value: unknown): string | undefined | Error {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return new Error(`${key}: expected a text or a number, got ${typeName(value)}`);
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** `an object`, `an array`, `null`, `nothing`, `a text`, `a number`. */
export function typeName(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string") return "a text";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function describe(value: unknown): string {
  return typeof value === "object" || value === undefined ? typeName(value) : JSON.stringify(value);
}
