import type { FramedWindow, TokenSpan } from "@bertqa/answers";
import { offsetsOfLengths, type ListColumn, type WindowColumns } from "@bertqa/core";

/** One row of a shard. */
export interface LabelledWindow extends FramedWindow {
  readonly questionId: string;
  /** 0 for a question's first window, 1 for the next … */
  readonly windowIndex: number;
  /** In context tokens; `undefined` for no answer here. */
  readonly label: TokenSpan | undefined;
  /** Of an unanswerable question, what only looks like its answer. */
  readonly plausible: TokenSpan | undefined;
}

/** The columns of one shard. */
export function shardOf(rows: readonly LabelledWindow[]): WindowColumns {
  const position = (row: LabelledWindow, token: number | undefined) =>
    token === undefined ? 0 : row.contextFirstToken + token - row.range.first;
  return {
    questionId: rows.map(({ questionId }) => questionId),
    windowIndex: Int32Array.from(rows, ({ windowIndex }) => windowIndex),
    inputIds: listOf(rows, Int32Array, ({ inputIds }) => inputIds),
    contextFirstToken: Int32Array.from(rows, ({ contextFirstToken }) => contextFirstToken),
    contextTokenCount: Int32Array.from(rows, ({ contextTokenCount }) => contextTokenCount),
    contextStartCodePoints: listOf(rows, Int32Array, (row) => row.contextStartCodePoints),
    contextEndCodePoints: listOf(rows, Int32Array, (row) => row.contextEndCodePoints),
    maxContext: listOf(rows, Uint8Array, ({ maxContext }) => maxContext),
    startPosition: Int32Array.from(rows, (row) => position(row, row.label?.first)),
    endPosition: Int32Array.from(rows, (row) => position(row, row.label?.last)),
    plausibleStartPosition: Int32Array.from(rows, (row) => position(row, row.plausible?.first)),
    plausibleEndPosition: Int32Array.from(rows, (row) => position(row, row.plausible?.last)),
  };
}

/** Rows of different lengths, laid end to end. */
function listOf<T extends Int32Array | Uint8Array>(
  rows: readonly LabelledWindow[],
  ArrayOf: new (length: number) => T,
  valuesOf: (row: LabelledWindow) => T,
): ListColumn<T> {
  const offsets = offsetsOfLengths(rows.map((row) => valuesOf(row).length));
  const values = new ArrayOf(offsets.at(-1) as number);
  rows.forEach((row, i) => values.set(valuesOf(row), offsets[i]));
  return { offsets, values };
}
