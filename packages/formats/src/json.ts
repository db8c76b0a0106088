import { asRecord, ofQuestion, rowsOfArticles, rowsOfParagraph, typeName, type RawRow } from "@bertqa/squad";
import { FormatError } from "./format-error.ts";
import { looksLikeTask, rowsOfTasks } from "./label-studio.ts";
import { expectedColumns, looksLikeRow, recordsOfColumns, rowsOfRecords } from "./table.ts";

/** A file's questions, and the name of its layout. */
export interface LaidOutRows {
  readonly format: string;
  readonly rows: RawRow[];
}

/** An entry of a list, or a line of JSON Lines. */
interface Entry {
  readonly value: unknown;
  readonly place: string;
}

/** What an entry can be: the layout's name, how to know one, and how to read a list of them. */
const layouts: readonly {
  readonly format: string;
  readonly isOne: (value: Readonly<Record<string, unknown>>) => boolean;
  readonly read: (entries: readonly Entry[]) => RawRow[];
}[] = [
  { format: "SQuAD", isOne: (value) => "paragraphs" in value, read: rowsOfArticleEntries },
  { format: "KorQuAD 2.0", isOne: isKorquad2, read: refuseKorquad2 },
  {
    format: "a list of passages",
    isOne: (value) => ("context" in value || "context_text" in value) && "qas" in value,
    read: rowsOfPassages,
  },
  { format: "Label Studio", isOne: looksLikeTask, read: rowsOfTasks },
  { format: "rows", isOne: (value) => looksLikeRow(Object.keys(value)), read: rowsOfObjects },
  { format: "doccano", isOne: isDoccano, read: refuseDoccano },
];

/**
 * Reads the questions of a JSON value, by its content: SQuAD with its data at the top or in a list, rows under `data` (as
 * run_qa's `--train_file`), a list of passages (simpletransformers), of rows, or of Label Studio's tasks, one of those alone, or
 * an object of columns.
 *
 * @throws FormatError naming what it looks like, or what it has and what was expected
 */
export function rowsOfJson(value: unknown): LaidOutRows {
  const record = asRecord(value);
  const { data } = record;
  if (Array.isArray(data))
    return rowsOfEntries(data.map((entry: unknown, i) => ({ value: entry, place: `data[${i}]` })));
  if (Array.isArray(value)) return rowsOfEntries(value.map((entry: unknown, i) => ({ value: entry, place: `[${i}]` })));
  const records = recordsOfColumns(record);
  if (records) return { format: "columns", rows: rowsOfRecords(records) };
  if (layouts.some(({ isOne }) => isOne(record))) return rowsOfEntries([{ value, place: "$" }]);
  const keys = Object.keys(record);
  if (keys.length > 0 && keys.every((key) => typeof record[key] === "string" || typeof record[key] === "number")) {
    throw new FormatError("this looks like predictions by question id, expected questions with their passages");
  }
  const got = keys.length > 0 ? `an object with ${shown(keys)}` : typeName(value);
  throw new FormatError(
    `it is not in a known layout: got ${got}, expected an object with a list "data", or a list`,
    knownLayouts,
  );
}

const knownLayouts = `Give it SQuAD's layout, or a row a question with ${expectedColumns}`;

/** Reads a list whose entries are all of one layout; MRQA's files have a header before them. */
export function rowsOfEntries(all: readonly Entry[]): LaidOutRows {
  const entries = "header" in asRecord(all[0]?.value) ? all.slice(1) : all;
  const first = entries.find(({ value }) => typeof value === "object" && value !== null);
  const layout = first && layouts.find(({ isOne }) => isOne(asRecord(first.value)));
  if (layout) return { format: layout.format, rows: layout.read(entries) };
  if (entries.length === 0) return { format: "SQuAD", rows: [] };
  const got = first
    ? `entries with ${shown(Object.keys(asRecord(first.value)))}`
    : `entries that are ${typeName(entries[0]?.value)}`;
  throw new FormatError(`it is not in a known layout: got ${got} (${(first ?? entries[0])?.place})`, knownLayouts);
}

function shown(keys: readonly string[]): string {
  return keys.length > 8
    ? `${keys.slice(0, 8).join(", ")} and ${keys.length - 8} more keys`
    : keys.join(", ") || "no keys";
}

function rowsOfArticleEntries(entries: readonly Entry[]): RawRow[] {
  return entries.flatMap(({ value, place }, article) =>
    rowsOfArticles([value], "").map((row) => ({
      ...row,
      place: `${place}${row.place.slice("[0]".length)}`,
      article,
      paragraph: article * 1e6 + row.paragraph,
    })),
  );
}

/** Passages without a title are articles of their own; those of one title that follow each other are one article. */
function rowsOfPassages(entries: readonly Entry[]): RawRow[] {
  let [article, lastTitle]: [number, unknown] = [-1, undefined];
  return entries.flatMap(({ value, place }, paragraph) => {
    const { title } = asRecord(value);
    if (article < 0 || title === undefined || title === null || title !== lastTitle) article++;
    lastTitle = title;
    return rowsOfParagraph(value, { place, article, paragraph, title });
  });
}

function rowsOfObjects(entries: readonly Entry[]): RawRow[] {
  const rows = rowsOfRecords(entries.map(({ value, place }) => ({ record: asRecord(value), place })));
  return rows.map((row, i) => {
    const value = entries[i]?.value;
    return typeof value === "object" && value !== null ? row : { ...row, ...ofQuestion(value) };
  });
}

function isKorquad2(value: Readonly<Record<string, unknown>>): boolean {
  const { qas } = value;
  const answer = Array.isArray(qas) ? asRecord(asRecord(qas[0])["answer"]) : {};
  return "raw_html" in value || "html_answer_text" in answer;
}

function refuseKorquad2(): never {
  throw new FormatError(
    "this looks like KorQuAD 2.0: its passages are whole HTML pages and its answers may be tables, which are not read",
    'Convert it to SQuAD\'s layout: for each page "paragraphs": [{"context", "qas"}], with "answers" a list',
  );
}

function isDoccano({ text, label, labels }: Readonly<Record<string, unknown>>): boolean {
  const spans = label ?? labels;
  return typeof text === "string" && Array.isArray(spans) && (spans.length === 0 || Array.isArray(spans[0]));
}

function refuseDoccano(): never {
  throw new FormatError(
    "this looks like a doccano export: spans with names, and no questions",
    `Write a row a question, with ${expectedColumns}`,
  );
}
