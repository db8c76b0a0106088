/**
 * Positions in a text. SQuAD's `answer_start` and the tokenizer's offsets count Unicode code points; JavaScript slices by
 * UTF-16 code unit. The two differ after the first astral character (emoji, some CJK, musical symbols).
 */

/** Number of code points in a text. A lone surrogate counts as one, as in Python. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * UTF-16 index of each code point of a text, and of its end.
 *
 * @returns int32 [code points + 1], or `undefined` where both counts are equal and every position is its own index
 */
export function utf16OfCodePoint(text: string): Int32Array | undefined {
  const count = countCodePoints(text);
  if (count === text.length) return undefined;
  const indices = new Int32Array(count + 1);
  let at = 0;
  let next = 0;
  for (const character of text) {
    indices[next++] = at;
    at += character.length;
  }
  indices[next] = at;
  return indices;
}
