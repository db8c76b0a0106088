import { asRecord, type RawRow } from "@bertqa/squad";
import { FormatError } from "./format-error.ts";
import { looksLikeRow, rowsOfRecords } from "./table.ts";

/** Whether an entry is a task of Label Studio's JSON export. */
export function looksLikeTask(entry: unknown): boolean {
  const { data, annotations, completions } = asRecord(entry);
  return typeof data === "object" && (Array.isArray(annotations) || Array.isArray(completions));
}

/**
 * Reads tasks of Label Studio's question answering template: `data: {text, question}`, and in each annotation the marked
 * spans. An annotation without a span says that there is no answer; a task without annotations says nothing.
 */
export function rowsOfTasks(tasks: readonly { readonly value: unknown; readonly place: string }[]): RawRow[] {
  const spans = tasks.map(({ value }) => spansOf(value));
  const records = tasks.map(({ value, place }) => {
    const { id, data } = asRecord(value);
    const own = asRecord(data);
    if (!looksLikeRow(Object.keys(own))) {
      const problem = `this looks like a Label Studio export whose tasks have ${Object.keys(own).join(", ") || "no data"}`;
      throw new FormatError(`${problem}; expected text and question (${place})`, "Export a question answering project");
    }
    return { record: { ...own, id }, place };
  });
  return rowsOfRecords(records).map((row, i) => ({ ...row, ...spans[i] }));
}

function spansOf(task: unknown): Pick<RawRow, "answers" | "brokenShape"> {
  const { annotations, completions } = asRecord(task);
  // One task decided that the file is Label Studio's; the others may be anything.
  const all = [annotations, completions].find((each) => Array.isArray(each)) ?? [];
  const given = (all as unknown[]).map(asRecord).filter(({ was_cancelled }) => was_cancelled !== true);
  if (given.length === 0) return {};
  const results = given.map(({ result }) => (Array.isArray(result) ? result : []).map(asRecord));
  const unread = results.flatMap(unreadTypes);
  // Passed over, they would read as "no answer".
  if (unread.length > 0) return { brokenShape: `an answer of type ${String(unread[0])} is not read: expected labels` };
  const marked = results.map((each) => each.flatMap(spanOf));
  const empty = marked.filter((spans) => spans.length === 0).length;
  if (empty > 0 && empty < marked.length) {
    return {
      brokenShape: `${empty} of ${marked.length} annotations mark no answer, the others do: keep one of the two`,
    };
  }
  return { answers: marked.flat() };
}

/** Label Studio counts UTF-16 units, which the reader finds out by itself where it matters. */
function spanOf({ type, value }: Readonly<Record<string, unknown>>): { text: unknown; answer_start: unknown }[] {
  if (type !== "labels") return [];
  const { text, start } = asRecord(value);
  return [{ text, answer_start: start }];
}

/** Types of what an annotation says in another way than by a labelled span; a remark on such a span has that span's id. */
function unreadTypes(results: readonly Readonly<Record<string, unknown>>[]): unknown[] {
  const spans = new Set(results.filter(({ type }) => type === "labels").map(({ id }) => id));
  const isAnswer = ({ id, type, value }: Readonly<Record<string, unknown>>) =>
    type !== "labels" &&
    !(id !== undefined && spans.has(id)) &&
    (asRecord(value)["text"] !== undefined || String(type).endsWith("labels"));
  return results.filter(isAnswer).map(({ type }) => type);
}
