import { describeIssues, squadFileSchema, type DatasetSplit, type SquadFile } from "@bertqa/core";
import type { z } from "zod";
import type { Problem, ProblemKind } from "./problems.ts";
import { contextText, describeMismatch, quote, type ContextText } from "./validate-answer.ts";

type Article = SquadFile["data"][number];
type Paragraph = Article["paragraphs"][number];

const qaSchema = squadFileSchema.shape.data.element.shape.paragraphs.element.shape.qas.element.required({
  answers: true,
});
type Qa = z.output<typeof qaSchema>;

/** A file's good rows, in the file's order, and what is wrong with the others. */
export interface CheckedSplit {
  /** Articles and paragraphs without a good question are left out. */
  readonly data: readonly Article[];
  readonly problems: readonly Problem[];
}

export interface SplitChecks {
  /** Rows beyond this many are not looked at. */
  readonly firstQuestions?: number | undefined;
  /** Ids that belong to the other split. */
  readonly takenIds?: ReadonlySet<string>;
}

/**
 * Checks the `data` of a SQuAD 1.1 or 2.0 file, row by row: shape, texts, ids, and each answer against the slice of its
 * context at `answer_start` (code points). Reports every problem.
 */
export function checkSplit(split: DatasetSplit, data: readonly unknown[], checks: SplitChecks = {}): CheckedSplit {
  const walk: Walk = {
    split,
    problems: [],
    seenIds: new Map(),
    takenIds: checks.takenIds ?? new Set(),
    questionsLeft: checks.firstQuestions ?? Number.POSITIVE_INFINITY,
  };
  const articles = data.map((article, index) => checkArticle(walk, article, index));
  return { data: articles.filter((article) => article !== undefined), problems: walk.problems };
}

interface Walk {
  readonly split: DatasetSplit;
  readonly problems: Problem[];
  /** Where each id was first seen. */
  readonly seenIds: Map<string, string>;
  readonly takenIds: ReadonlySet<string>;
  questionsLeft: number;
}

/** A part of the file, in words and as a JSON path. */
interface Place {
  readonly words: string;
  readonly path: string;
}

function checkArticle(walk: Walk, value: unknown, index: number): Article | undefined {
  if (walk.questionsLeft <= 0) return undefined;
  const { title, paragraphs } = asRecord(value);
  const place: Place = { words: `article ${labelOf(title, index)}`, path: `data[${index}]` };
  const rows = countRows(paragraphs);
  const report = (kind: ProblemKind, what: string) => addProblem(walk, place, kind, what, rows);
  if (title !== undefined && typeof title !== "string") {
    return report("Shape", `title: expected a text or nothing, got ${typeName(title)}`);
  }
  if (!Array.isArray(paragraphs)) return report("Shape", `paragraphs: expected an array, got ${typeName(paragraphs)}`);
  const character = badCharacter(title ?? "");
  if (character) return report("BadCharacter", `the title holds a ${character}`);
  const kept = paragraphs
    .map((paragraph: unknown, i) => checkParagraph(walk, place, paragraph, i))
    .filter((paragraph) => paragraph !== undefined);
  if (kept.length === 0) return undefined;
  return { ...(title === undefined ? {} : { title }), paragraphs: kept };
}

function checkParagraph(walk: Walk, article: Place, value: unknown, index: number): Paragraph | undefined {
  if (walk.questionsLeft <= 0) return undefined;
  const { context, qas } = asRecord(value);
  const place = { words: `${article.words}, paragraph ${index + 1}`, path: `${article.path}.paragraphs[${index}]` };
  if (!Array.isArray(qas)) {
    return addProblem(walk, place, "Shape", `qas: expected an array, got ${typeName(qas)}`, 1);
  }
  const wanted = qas.slice(0, walk.questionsLeft);
  const report = (kind: ProblemKind, what: string) => {
    walk.questionsLeft -= wanted.length;
    return addProblem(walk, place, kind, what, wanted.length);
  };
  if (typeof context !== "string") return report("Shape", `context: expected a text, got ${typeName(context)}`);
  if (context.trim() === "") return report("EmptyText", "the context is empty");
  const character = badCharacter(context);
  if (character) return report("BadCharacter", `the context holds a ${character}`);
  walk.questionsLeft -= wanted.length;
  const indexed = contextText(context);
  const kept = wanted
    .map((qa: unknown, i) => checkQuestion(walk, place, indexed, qa, i))
    .filter((qa) => qa !== undefined);
  return kept.length === 0 ? undefined : { context, qas: kept };
}

function checkQuestion(
  walk: Walk,
  paragraph: Place,
  context: ContextText,
  value: unknown,
  index: number,
): Qa | undefined {
  const { id } = asRecord(value);
  const label = typeof id === "string" ? quote(id) : `number ${index + 1}`;
  const place = { words: `${paragraph.words}, question ${label}`, path: `${paragraph.path}.qas[${index}]` };
  const parsed = qaSchema.safeParse(value);
  const found = parsed.success
    ? questionProblems(parsed.data, context)
    : [["Shape", describeIssues(parsed.error)] as const];
  const all = [...found, ...idProblems(walk, id, place)];
  all.forEach(([kind, what], i) => addProblem(walk, place, kind, what, i === 0 ? 1 : 0));
  if (!parsed.success || all.length > 0) return undefined;
  // SQuAD 2.0's keys, whatever the file's version: one format for all that read the artifact.
  const { question, answers, plausible_answers } = parsed.data;
  const is_impossible = parsed.data.is_impossible ?? false;
  return { id: parsed.data.id, question, answers, is_impossible, ...(plausible_answers ? { plausible_answers } : {}) };
}

type Finding = readonly [kind: ProblemKind, what: string];

function idProblems(walk: Walk, id: unknown, place: Place): Finding[] {
  if (typeof id !== "string") return [];
  const firstSeen = walk.seenIds.get(id);
  if (firstSeen !== undefined) return [["DuplicateId", `the id is also that of ${firstSeen}`]];
  walk.seenIds.set(id, place.path);
  return walk.takenIds.has(id) ? [["IdInBothSplits", "the id is also in the other split"]] : [];
}

function questionProblems(qa: Qa, context: ContextText): Finding[] {
  const findings: Finding[] = [];
  for (const key of ["id", "question"] as const) {
    if (qa[key].trim() === "") findings.push(["EmptyText", `the ${key} is empty`]);
    const character = badCharacter(qa[key]);
    if (character) findings.push(["BadCharacter", `the ${key} holds a ${character}`]);
  }
  if (qa.is_impossible && qa.answers.length > 0) {
    findings.push(["UnexpectedAnswer", `is_impossible is true, yet it has answer ${quote(qa.answers[0]?.text ?? "")}`]);
  } else if (!qa.is_impossible && qa.answers.length === 0) {
    findings.push(["MissingAnswer", `it has no answer; expected one, or "is_impossible": true`]);
  }
  return qa.is_impossible
    ? findings
    : [...findings, ...qa.answers.flatMap((answer) => answerFindings(answer, context))];
}

function answerFindings(answer: Qa["answers"][number], context: ContextText): Finding[] {
  if (answer.text.trim() === "") return [["EmptyText", `the answer at ${answer.answer_start} is empty`]];
  const mismatch = describeMismatch(context, answer.text, answer.answer_start);
  return mismatch ? [["AnswerMismatch", mismatch]] : [];
}

function addProblem(walk: Walk, place: Place, kind: ProblemKind, what: string, rows: number): undefined {
  walk.problems.push({ split: walk.split, kind, where: `${place.words} (${place.path})`, what, rows });
}

/** Tokenizers written in C end at NUL; a lone surrogate has no UTF-8 and would come back as another character. */
function badCharacter(text: string): string | undefined {
  if (text.includes("\0")) return "NUL character";
  return /\p{Surrogate}/u.test(text) ? "lone surrogate" : undefined;
}

function countRows(paragraphs: unknown): number {
  if (!Array.isArray(paragraphs)) return 1;
  return paragraphs.reduce<number>((sum, paragraph) => {
    const { qas } = asRecord(paragraph);
    return sum + (Array.isArray(qas) ? qas.length : 1);
  }, 0);
}

function labelOf(title: unknown, index: number): string {
  return typeof title === "string" ? quote(title) : `number ${index + 1}`;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function typeName(value: unknown): string {
  if (value === undefined) return "nothing";
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
