import { asRecord, isUntitled, saidOnce, statedStart, type RawRow } from "@bertqa/squad";
import { FormatError } from "./format-error.ts";

/** Column names by which files call one thing, in order of preference. */
const columns = {
  context: ["context", "passage", "paragraph", "text", "document"],
  question: ["question", "query", "question_text"],
  id: ["id", "guid", "qid", "question_id", "example_id", "_id"],
  title: ["title", "document_title", "document_id", "doc_id"],
  answers: ["answers", "answer", "answer_text", "answers.text", "label"],
  start: ["answer_start", "answers.answer_start", "start"],
  isImpossible: ["is_impossible", "impossible"],
  plausibleAnswers: ["plausible_answers"],
} as const;
type Column = keyof typeof columns;

/** Whether an object or a header is a row of a table of questions: it has a passage and a question. */
export function looksLikeRow(names: readonly string[]): boolean {
  return nameOf("context", names) !== undefined && nameOf("question", names) !== undefined;
}

/**
 * The rows of an object of columns, each a list or an object by the index: `to_dict("list")`, and what pandas' `to_json()` writes.
 * What is neither is said of all rows.
 */
export function recordsOfColumns(table: Readonly<Record<string, unknown>>): PlacedRecord[] | undefined {
  const isColumn = (value: unknown): value is object => typeof value === "object" && value !== null;
  const names = Object.keys(table);
  const asked = [nameOf("context", names), nameOf("question", names)];
  if (!asked.every((name) => name !== undefined && isColumn(table[name]))) return undefined;
  const columnsByName = Object.entries(table);
  const index = new Set(columnsByName.flatMap(([, column]) => (isColumn(column) ? Object.keys(column) : [])));
  return [...index].map((key) => ({
    place: `[${key}]`,
    record: Object.fromEntries(
      columnsByName.map(([name, column]) => [
        name,
        isColumn(column) ? (column as Record<string, unknown>)[key] : column,
      ]),
    ),
  }));
}

/** What a row must have, for a message. */
export const expectedColumns =
  "context, question and answer (or answers), and if you have them answer_start, id, title, is_impossible";

/** Whether a column of this name holds answers, or where they start. */
export function isAnswerColumn(name: string): boolean {
  return [...columns.answers, ...columns.start, ...columns.plausibleAnswers].some((column) => column === name);
}

/** A column's name as {@link columns} spells it: `answerStart` is `answer_start`. */
export function withoutCamelCase(name: string): string {
  return name.replace(/(?<=[a-z\d])[A-Z]+/g, (capitals) => `_${capitals.toLowerCase()}`);
}

function nameOf(column: Column, names: readonly string[]): string | undefined {
  return spellingsOf(column, names)[0];
}

/** The names that mean a column, as the file spells them, in order of preference. */
function spellingsOf(column: Column, names: readonly string[]): string[] {
  return columns[column].flatMap((known) => names.filter((name) => name === known || withoutCamelCase(name) === known));
}

/**
 * Names of a column that are there. A `label` may be anything beside a column of answers.
 *
 * @param column one of which no two may say different things: what was passed over would be an answer, or that there is none
 */
function namesOf(column: "answers" | "isImpossible", names: readonly string[]): string[] {
  const found = spellingsOf(column, names);
  return found.length > 1 ? found.filter((name) => name !== "label") : found;
}

/**
 * @param names of a header's columns; @param shown the same as the file spells them
 * @throws FormatError naming two columns of which one would be passed over
 */
export function refuseTwoOfOne(names: readonly string[], shown: readonly string[]): void {
  const known: readonly string[] = Object.values(columns).flat();
  const repeated = names.findLastIndex((name, i) => known.includes(name) && names.indexOf(name) < i);
  const pairs = [
    repeated < 0 ? [] : [names.indexOf(names[repeated] as string), repeated],
    ...(["answers", "isImpossible"] as const).map((column) =>
      namesOf(column, names).map((name) => names.indexOf(name)),
    ),
  ];
  const pair = pairs.find(({ length }) => length > 1);
  if (!pair) return;
  const [first, second] = pair.map((i) => JSON.stringify(shown[i]));
  throw new FormatError(`its columns ${first} and ${second} mean the same`, "Keep one of them, or rename the other");
}

export interface PlacedRecord {
  readonly record: Readonly<Record<string, unknown>>;
  readonly place: string;
  /** Why the record is no question. */
  readonly brokenShape?: string;
}

/**
 * Reads a table's rows, one a question, as `datasets` and spreadsheets have them. Neighbouring rows with one title make
 * an article, those with one passage a paragraph; rows without title make an article a passage (squad joins those of one text).
 */
export function rowsOfRecords(records: readonly PlacedRecord[]): RawRow[] {
  let [article, paragraph] = [-1, -1];
  let last: { title: unknown; context: unknown } | undefined;
  return records.map(({ record, place, ...broken }) => {
    const names = Object.keys(record);
    const value = (column: Column) => {
      const name = nameOf(column, names);
      return name === undefined ? undefined : record[name];
    };
    const single = (column: "answers" | "isImpossible") =>
      saidOnce(namesOf(column, names).map((name) => [name, record[name]]));
    const { value: answers, ...brokenAnswers } = single("answers");
    const { value: isImpossible, ...brokenFlag } = single("isImpossible");
    const [title, context, id] = [value("title"), value("context"), value("id")];
    const isNewPassage = last === undefined || last.context !== context;
    const isNewArticle = last === undefined || last.title !== title || (isNewPassage && isUntitled(title));
    if (isNewArticle) article++;
    if (isNewArticle || isNewPassage) paragraph++;
    last = { title, context };
    return {
      ...{ place, article, paragraph, title, context },
      // A table's empty cell says nothing.
      id: typeof id === "string" && id.trim() === "" ? undefined : id,
      question: value("question"),
      answers: withStarts(answers, value("start")),
      isImpossible,
      plausibleAnswers: value("plausibleAnswers"),
      ...brokenFlag,
      ...brokenAnswers,
      ...broken,
    };
  });
}

/** Joins answers with positions that stand in a column of their own. */
function withStarts(answers: unknown, starts: unknown): unknown {
  if (starts === undefined || starts === null || starts === "") return answers;
  const texts = Array.isArray(answers) ? answers.map(textWithoutStart) : textWithoutStart(answers);
  const list: unknown = isTextOrNumber(texts) ? [texts] : texts;
  if (!Array.isArray(list)) return Object.keys(asRecord(answers)).length > 0 ? answers : undefined;
  // SQuAD's own answers say where they are.
  if (list.some((text) => typeof text === "object" && text !== null)) return answers;
  if (Array.isArray(starts)) return { text: list, answer_start: starts };
  return list.length === 1 ? { text: list, answer_start: [starts] } : answers;
}

/** The text, or texts, of an answer that does not say itself where it is. */
function textWithoutStart(answer: unknown): unknown {
  const record = asRecord(answer);
  return statedStart(record) === undefined ? (record["text"] ?? answer) : answer;
}

function isTextOrNumber(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number";
}
