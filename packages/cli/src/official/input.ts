import { articleKey, BertqaError, parseDataJson, type GoldQuestion } from "@bertqa/squad";
import { readFileSync } from "node:fs";
import { entriesInTextOrder, literalsOf, parsePythonJson } from "./python-json.ts";

/** No-answer probabilities in the file's order. */
export interface NaProbs {
  readonly byId: ReadonlyMap<string, number>;
  /** The number as the file writes it: Python prints 1 and 1.0 differently. */
  literalOf(id: string): string;
}

/** A gold question with what people call it by. */
export interface NamedQuestion extends GoldQuestion {
  /** "" where the file has none. */
  readonly question: string;
  /** The key of its article. */
  readonly article: string;
}

type SquadQuestion = Pick<GoldQuestion, "answers"> & { readonly id: unknown; readonly question?: unknown };
type MaybeUnlabelled = Omit<SquadQuestion, "answers"> & Partial<SquadQuestion> & { readonly is_impossible?: unknown };
interface SquadLike {
  readonly data?: readonly {
    readonly title?: unknown;
    readonly paragraphs: readonly { readonly qas: readonly MaybeUnlabelled[] }[];
  }[];
}

/**
 * Reads a SQuAD file. Only what scoring needs must be there, as in the script: articles → paragraphs → qas.
 *
 * @param unlabelled a question that says nothing of answers is refused, as by the script, or left out, as evaluate does
 */
export function readGoldQuestions(stage: string, path: string, unlabelled: "refused" | "leftOut"): NamedQuestion[] {
  const file = readJson(stage, path, parseDataJson).value as SquadLike | null;
  let gold: NamedQuestion[];
  let bad: GoldQuestion | undefined;
  try {
    gold = (file?.data ?? []).flatMap(({ title, paragraphs }, articleIndex) => {
      const article = articleKey({ article: textOf(title), articleIndex });
      const named = ({ id, answers, question }: SquadQuestion) => {
        // Some files number their questions, beyond 2^53 too; keys of JSON are texts, and so predictions have the digits.
        const text = typeof id === "number" ? String(id) : id;
        return { id: text as string, answers, question: textOf(question), article };
      };
      const asked = paragraphs.flatMap(({ qas }) => qas);
      return (unlabelled === "refused" ? (asked as SquadQuestion[]) : asked.flatMap(labelled)).map(named);
    });
    bad = gold.find((question) => !isQuestion(question));
  } catch (cause) {
    throw problem(stage, `${path} is not in SQuAD format (data → paragraphs → qas, each with id and answers)`, cause);
  }
  if (gold.length === 0) throw problem(stage, `${path} holds no questions`);
  if (!bad) return gold;
  throw problem(stage, `${path}: question ${JSON.stringify(bad.id)} has an id or an answer that is not a text`);
}

function labelled(question: MaybeUnlabelled): SquadQuestion[] {
  const { answers = question.is_impossible === true ? [] : undefined } = question;
  return answers ? [{ ...question, answers }] : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isQuestion({ id, answers }: GoldQuestion): boolean {
  return typeof id === "string" && answers.every(({ text }) => typeof text === "string");
}

/**
 * Reads a predictions file, answer text by question id.
 *
 * @returns the prediction of a question, undefined where there is none; of the file's other ids nothing is asked
 */
export function readPredictions(stage: string, path: string): (id: string) => string | undefined {
  const { value } = readObject(stage, path);
  return (id) => {
    if (!Object.hasOwn(value, id)) return undefined;
    const prediction = value[id];
    if (typeof prediction === "string") return prediction;
    throw wrongType(stage, path, id, prediction, "a text");
  };
}

/** Reads a file of no-answer probabilities, or of any other number that grows with them, by question id. */
export function readNaProbs(stage: string, path: string): NaProbs {
  const { text, value } = readObject(stage, path);
  const byId = entriesInTextOrder(text, value);
  byId.forEach((naProb, id) => {
    if (typeof naProb !== "number") throw wrongType(stage, path, id, naProb, "a number");
  });
  return {
    byId: byId as ReadonlyMap<string, number>,
    literalOf: (id) => literalsOf(text).findLast(([key]) => key === id)?.[1] as string,
  };
}

function readObject(stage: string, path: string): { text: string; value: Readonly<Record<string, unknown>> } {
  const { text, value } = readJson(stage, path);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return { text, value: value as Record<string, unknown> };
  throw problem(stage, `${path} is not a JSON object by question id`);
}

function readJson(stage: string, path: string, parse = parsePythonJson): { text: string; value: unknown } {
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\ufeff/, "");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    throw problem(stage, `${path} ${code === "ENOENT" ? "does not exist" : `cannot be read: ${code}`}`, cause);
  }
  try {
    return { text, value: parse(text) };
  } catch (cause) {
    throw problem(stage, `${path} is not valid JSON: ${(cause as Error).message}`, cause);
  }
}

function wrongType(stage: string, path: string, id: string, got: unknown, expected: string): BertqaError {
  return problem(stage, `${path}: ${JSON.stringify(id)} is ${JSON.stringify(got)}, expected ${expected}`);
}

function problem(stage: string, text: string, cause?: unknown): BertqaError {
  return new BertqaError(stage, text, { cause });
}
