import type { RawRow } from "@bertqa/squad";
import { CsvError, parse } from "csv-parse/sync";
import { FormatError } from "./format-error.ts";
import { parsePythonLiteral } from "./python-literal.ts";
import { looksLikeRow, rowsOfRecords } from "./table.ts";

const delimiters = [",", "\t", ";", "|"] as const;

/** The delimiter with which the first line has the columns of a table of questions. */
export function delimiterOf(text: string): string | undefined {
  const header = /^[^\r\n]*/.exec(text)?.[0] ?? "";
  return delimiters.find((delimiter) => {
    const names = header.split(delimiter).map((name) => toName(name.replace(/^\s*"(.*)"\s*$/, "$1")));
    return looksLikeRow(names);
  });
}

function toName(name: string): string {
  return name.trim().toLowerCase().replace(/\s+/g, "_");
}

/**
 * Reads a CSV or TSV file with a header, a question a line; see {@link rowsOfRecords}. An empty answer says that there is
 * none. A cell may hold a Python or JSON value, as pandas and datasets write `answers`.
 *
 * @throws FormatError with the line, where quotes are not closed or a line has another number of cells than the header
 */
export function rowsOfCsv(text: string, delimiter: string): RawRow[] {
  const lines = parseCsv(text, delimiter);
  const names = (lines[0]?.record ?? []).map(toName);
  const records = lines.slice(1).map(({ record, info }) => {
    const cells = record.map((cell, i): [string, unknown] => [names[i] as string, toValue(names[i] as string, cell)]);
    return { record: Object.fromEntries(cells), place: `line ${info.lines - lineBreaksIn(record)}` };
  });
  return rowsOfRecords(records);
}

interface CsvLine {
  readonly record: string[];
  /** `lines`: the number of the line on which the record ends. */
  readonly info: { readonly lines: number };
}

function parseCsv(text: string, delimiter: string): CsvLine[] {
  try {
    return parse(text, { delimiter, info: true, skip_empty_lines: true }) as unknown as CsvLine[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new FormatError(
      `it is not valid CSV: ${error.message}`,
      `Quote cells that hold ${JSON.stringify(delimiter)}, quotes or line breaks`,
    );
  }
}

function lineBreaksIn(record: readonly string[]): number {
  return record.reduce((sum, cell) => sum + (cell.includes("\n") ? cell.split("\n").length - 1 : 0), 0);
}

function toValue(column: string, cell: string): unknown {
  const isList = /^\s*[[{(]/.test(cell) && /^(plausible_)?answer(s|_start)|^answers\./.test(column);
  // An answer that only looks like a list, "[1]", is a text: it says no `text`.
  const isAnswer = /^\s*[[{]\s*[[{]?\s*['"](text|answer_start)['"]/.test(cell);
  if (!isList && !isAnswer) return cell;
  try {
    return parsePythonLiteral(cell);
  } catch (error) {
    if (error instanceof SyntaxError && !isAnswer) return cell;
    throw error instanceof SyntaxError
      ? new FormatError(`a cell of ${column} cannot be read: ${error.message}`)
      : error;
  }
}
