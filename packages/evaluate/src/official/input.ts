import { isAscii } from "node:buffer";
import { readFileSync } from "node:fs";
import type { GoldQuestion } from "@bertqa/squad";
import { entriesInTextOrder, literalsOf, parsePythonJson } from "./python-json.ts";

/** A problem that the user can mend; printed as one line. */
export class InputProblem extends Error {}

/** No-answer probabilities in the file's order. */
export interface NaProbs {
  readonly byId: ReadonlyMap<string, number>;
  /** The number as the file writes it: Python prints 1 and 1.0 differently. */
  literalOf(id: string): string;
}

/** Reads a SQuAD file. Only what scoring needs is looked at, as in the script: articles → paragraphs → qas. */
export function readGoldQuestions(path: string): GoldQuestion[] {
  const file = readJson(path).value as { data?: { paragraphs: { qas: GoldQuestion[] }[] }[] } | null;
  const gold: GoldQuestion[] = [];
  let badId: string | undefined;
  try {
    for (const article of file?.data ?? []) {
      for (const paragraph of article.paragraphs) {
        for (const question of paragraph.qas) {
          badId ??= isQuestion(question) ? undefined : String(JSON.stringify(question.id));
          gold.push(question);
        }
      }
    }
  } catch (cause) {
    const problem = `${path} is not in SQuAD format (data → paragraphs → qas, each with id and answers)`;
    throw new InputProblem(problem, { cause });
  }
  if (gold.length === 0) throw new InputProblem(`${path} holds no questions.`);
  if (badId === undefined) return gold;
  throw new InputProblem(`${path}: question ${badId} has an id or an answer that is not a text.`);
}

function isQuestion({ id, answers }: GoldQuestion): boolean {
  return typeof id === "string" && answers.every(({ text }) => typeof text === "string");
}

/**
 * Reads a predictions file, answer text by question id.
 *
 * @returns the prediction of a question, undefined where there is none; of the file's other ids nothing is asked
 */
export function readPredictions(path: string): (id: string) => string | undefined {
  const { value } = readObject(path);
  return (id) => {
    if (!Object.hasOwn(value, id)) return undefined;
    const prediction = value[id];
    if (typeof prediction === "string") return prediction;
    throw wrongType(path, id, prediction, "a text");
  };
}

/** Reads a file of no-answer probabilities, or of any other number that grows with them, by question id. */
export function readNaProbs(path: string): NaProbs {
  const { text, value } = readObject(path);
  const byId = entriesInTextOrder(text, value);
  byId.forEach((naProb, id) => {
    if (typeof naProb !== "number") throw wrongType(path, id, naProb, "a number");
  });
  return {
    byId: byId as ReadonlyMap<string, number>,
    literalOf: (id) => literalsOf(text).findLast(([key]) => key === id)?.[1] as string,
  };
}

function wrongType(path: string, id: string, got: unknown, expected: string): InputProblem {
  return new InputProblem(`${path}: ${JSON.stringify(id)} is ${JSON.stringify(got)}, expected ${expected}.`);
}

function readObject(path: string): { text: string; value: Readonly<Record<string, unknown>> } {
  const { text, value } = readJson(path);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return { text, value: value as Record<string, unknown> };
  throw new InputProblem(`${path} is not a JSON object by question id.`);
}

function readJson(path: string): { text: string; value: unknown } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    throw new InputProblem(`${path} ${code === "ENOENT" ? "does not exist" : `cannot be read: ${code}`}.`, { cause });
  }
  // Files that Python wrote are ASCII, which is read in half the time.
  const text = isAscii(bytes) ? bytes.toString("latin1") : bytes.toString("utf8").replace(/^\ufeff/, "");
  try {
    return { text, value: parsePythonJson(text) };
  } catch (cause) {
    throw new InputProblem(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}
