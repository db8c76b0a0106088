import { readFileSync } from "node:fs";
import type { GoldQuestion } from "./evaluation.ts";
import { entriesInTextOrder, literalsOf, parsePythonJson } from "./python-json.ts";

/** A problem that the user can mend; printed as one line. */
export class InputProblem extends Error {}

/** No-answer probabilities in the file's order. */
export interface NaProbs {
  readonly byId: ReadonlyMap<string, number>;
  /** The number as the file writes it: Python prints 1 and 1.0 differently. */
  literalOf(id: string): string;
}

interface QuestionJson {
  readonly id: string;
  readonly answers: readonly { readonly text: string }[];
}

/** Reads a SQuAD file. Only what scoring needs is looked at, as in the script: articles → paragraphs → qas. */
export function readGoldQuestions(path: string): GoldQuestion[] {
  const file = readJson(path).value as { data?: { paragraphs: { qas: QuestionJson[] }[] }[] } | null;
  const gold: GoldQuestion[] = [];
  try {
    for (const article of file?.data ?? []) {
      for (const paragraph of article.paragraphs) {
        for (const { id, answers } of paragraph.qas) gold.push({ id, answers: answers.map(({ text }) => text) });
      }
    }
  } catch (cause) {
    const problem = `${path} is not in SQuAD format (data → paragraphs → qas, each with id and answers)`;
    throw new InputProblem(problem, { cause });
  }
  if (gold.length === 0) throw new InputProblem(`${path} holds no questions.`);
  const bad = gold.find(
    ({ id, answers }) => typeof id !== "string" || !answers.every((text) => typeof text === "string"),
  );
  if (bad)
    throw new InputProblem(`${path}: question ${JSON.stringify(bad.id)} has an id or an answer that is not a text.`);
  return gold;
}

/** Reads a predictions file: answer text by question id. */
export function readPredictions(path: string): Record<string, string> {
  const { value } = readFlatObject<string>(path, "string", "a text");
  return value;
}

/** Reads a file of no-answer probabilities, or of any other number that grows with them, by question id. */
export function readNaProbs(path: string): NaProbs {
  const { text, value } = readFlatObject<number>(path, "number", "a number");
  const byId = entriesInTextOrder(text, value);
  return { byId, literalOf: (id) => literalsOf(text).findLast(([key]) => key === id)?.[1] as string };
}

function readFlatObject<T>(path: string, type: "string" | "number", noun: string) {
  const { text, value } = readJson(path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputProblem(`${path} is not a JSON object by question id.`);
  }
  for (const [id, entry] of Object.entries(value)) {
    if (typeof entry === type) continue;
    throw new InputProblem(`${path}: ${JSON.stringify(id)} is ${JSON.stringify(entry)}, expected ${noun}.`);
  }
  return { text, value: value as Record<string, T> };
}

function readJson(path: string): { text: string; value: unknown } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    throw new InputProblem(`${path} ${code === "ENOENT" ? "does not exist" : `cannot be read: ${code}`}.`, { cause });
  }
  if (text.startsWith("\ufeff")) text = text.slice(1);
  try {
    return { text, value: parsePythonJson(text) };
  } catch (cause) {
    throw new InputProblem(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}
