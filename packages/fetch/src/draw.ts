import { addTo, SeededRandom } from "@bertqa/core";
import { passageKey, type RawRow } from "@bertqa/squad";

/** Which part of a split's questions is kept. */
export interface Draw {
  readonly questions: number;
  readonly seed: number;
}

/**
 * A part of a file as if fewer of its passages had been labelled: whole passages in seeded order, over all articles, until so many
 * questions are there; the last passage gives as many as are missing. The rows keep the file's order. A smaller draw of a seed
 * is part of each larger one, so that a curve over sizes adds questions and exchanges none.
 *
 * @param rows all rows of the file; those with one `passageKey` are of one passage
 */
export function drawRows(rows: readonly RawRow[], { questions, seed }: Draw): RawRow[] {
  const passages = new Map<string, number[]>();
  rows.forEach((row, i) => addTo(passages, passageKey(row), i));
  const drawn = new SeededRandom(seed, "draw")
    .shuffled([...passages.values()])
    .flat()
    .slice(0, questions);
  return drawn.toSorted((a, b) => a - b).map((i) => rows[i] as RawRow);
}
