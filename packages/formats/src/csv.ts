import type { RawRow } from "@bertqa/squad";
import { CsvError, parse } from "csv-parse/sync";
import { FormatError } from "./format-error.ts";
import { parsePythonLiteral } from "./python-literal.ts";
import { isAnswerColumn, looksLikeRow, refuseTwoOfOne, rowsOfRecords, withoutCamelCase } from "./table.ts";

const delimiters = [",", "\t", ";", "|"] as const;

/** The first line that is not blank, nor a row of blank cells. */
export function headerOf(text: string): string {
  return /^(?:[\s,;|]*[\r\n])?([^\r\n]*)/.exec(text)?.[1] ?? "";
}

/** The delimiter with which the header has the columns of a table of questions. */
export function delimiterOf(text: string): string | undefined {
  const header = headerOf(text);
  return delimiters.find((delimiter) => {
    const names = header.split(delimiter).map((name) => toName(name.replace(/^\s*"(.*)"\s*$/, "$1")));
    return looksLikeRow(names);
  });
}

function toName(name: string): string {
  return withoutCamelCase(name.trim()).toLowerCase().replace(/\s+/g, "_");
}

/**
 * Reads a CSV or TSV file with a header, a question a row; see {@link rowsOfRecords}. An empty answer says that there is
 * none. A cell may hold a Python or JSON value, as pandas and datasets write `answers`. Rows are numbered as in a
 * spreadsheet; those whose cells are all blank are passed over, and the first other one is the header.
 *
 * @throws FormatError where quotes are not closed, or naming the row that has another number of cells than the header, or two
 *   columns that mean the same
 */
export function rowsOfCsv(text: string, delimiter: string): RawRow[] {
  const rows = parseCsv(text, delimiter);
  const headerIndex = rows.findIndex((cells) => !isBlank(cells));
  const header = rows[headerIndex] ?? [];
  const names = header.map(toName);
  refuseTwoOfOne(names, header);
  const records = rows.flatMap((cells, i) => {
    const place = `row ${i + 1}`;
    if (i <= headerIndex || isBlank(cells)) return [];
    if (cells.length !== names.length) throw wrongLength(place, cells.length, names.length, delimiter);
    try {
      const entries = names.map((name, column) => [name, toValue(name, cells[column] as string)] as const);
      return [{ record: Object.fromEntries(entries), place }];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const record = Object.fromEntries(names.map((name, column) => [name, cells[column]]));
      return [{ record, place, brokenShape: error.message }];
    }
  });
  return rowsOfRecords(records);
}

function isBlank(cells: readonly string[]): boolean {
  return cells.every((cell) => cell.trim() === "");
}

function wrongLength(place: string, got: number, expected: number, delimiter: string): FormatError {
  const problem = `${place} has ${got} cells, the header ${expected}`;
  return new FormatError(`it is not valid CSV: ${problem}`, quoteCells(delimiter));
}

function quoteCells(delimiter: string): string {
  return `Quote cells that hold ${JSON.stringify(delimiter)}, quotes or line breaks`;
}

function parseCsv(text: string, delimiter: string): string[][] {
  try {
    return parse(text, { delimiter, relax_column_count: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new FormatError(`it is not valid CSV: ${error.message}`, quoteCells(delimiter));
  }
}

/** @throws SyntaxError where an answer says `text` and cannot be read */
function toValue(column: string, cell: string): unknown {
  // "(1990)" is a text: without a comma Python's parentheses are no tuple.
  const isList = /^\s*(?:[[{]|\(.*,)/s.test(cell) && /^(plausible_)?answer(s|_start)|^answers\.|^start$/.test(column);
  // An answer that only looks like a list, "[1]", is a text: it says no `text`. Label Studio's says `start` first, Haystack's an id.
  const isAnswer =
    isAnswerColumn(column) && /^\s*[[{]\s*[[{]?\s*['"](text|answer_start|start|answer_id)['"]\s*:/.test(cell);
  if (!isList && !isAnswer) return cell;
  try {
    return parsePythonLiteral(cell);
  } catch (error) {
    if (error instanceof SyntaxError && !isAnswer) return cell;
    throw error instanceof SyntaxError
      ? new SyntaxError(`a cell of ${column} cannot be read: ${error.message}`)
      : error;
  }
}
