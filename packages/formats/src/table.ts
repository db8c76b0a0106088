import { asRecord, isUntitled, type RawRow } from "@bertqa/squad";

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

/** What a row must have, for a message. */
export const expectedColumns =
  "context, question and answer (or answers), and if you have them answer_start, id, title, is_impossible";

/** Whether a column of this name holds answers, or where they start. */
export function isAnswerColumn(name: string): boolean {
  return [...columns.answers, ...columns.start, ...columns.plausibleAnswers].some((column) => column === name);
}

function nameOf(column: Column, names: readonly string[]): string | undefined {
  return columns[column].find((name) => names.includes(name));
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
      answers: withStarts(value("answers"), value("start")),
      isImpossible: value("isImpossible"),
      plausibleAnswers: value("plausibleAnswers"),
      ...broken,
    };
  });
}

/** Joins an answer with a position that stands in a column of its own. */
function withStarts(answers: unknown, starts: unknown): unknown {
  if (starts === undefined || starts === null || starts === "") return answers;
  if (Array.isArray(answers) && Array.isArray(starts)) return { text: answers, answer_start: starts };
  if (typeof answers === "string" || typeof answers === "number") return [{ text: answers, answer_start: starts }];
  // SQuAD's own answers say where they are.
  return Object.keys(asRecord(answers)).length > 0 || Array.isArray(answers) ? answers : undefined;
}
