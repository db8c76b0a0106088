import type { CharacterSpan } from "./labels.ts";
import { accentFlag, removedFlag, unicodeTables, whiteFlag } from "./unicode.ts";

/** The text that spans are slices of. */
export interface Passage {
  readonly text: string;
  /**
   * UTF-16 index of each code point of the text and of its end, int32 [code points + 1]; `undefined` where each code point
   * is one unit. See `utf16OfCodePoint`.
   */
  readonly utf16: Int32Array | undefined;
}

export function sliceOf({ text, utf16 }: Passage, { start, end }: CharacterSpan): string {
  return utf16 ? text.slice(utf16[start], utf16[end]) : text.slice(start, end);
}

/**
 * What a span of tokens stands for in its passage. Tokens end before a combining mark that the normalizer strips, and say
 * nothing of control characters, direction marks and soft hyphens beside them; an answer may end in any of these.
 *
 * @param tokens from the start of the first token to the end of the last, as the tokenizer gives them
 * @returns the span with the combining marks that follow its last letter; and where more characters that make no token
 *   touch it, second, the span with all of them. White space is never taken in
 */
export function reachOf(passage: Passage, tokens: CharacterSpan): readonly [CharacterSpan, ...CharacterSpan[]] {
  const { flags } = unicodeTables();
  const { text, utf16 } = passage;
  const length = utf16 ? utf16.length - 1 : text.length;
  const flagsAt = (at: number) =>
    at < 0 || at >= length ? 0 : (flags[text.codePointAt(utf16?.[at] ?? at) as number] as number);
  const isRemoved = (at: number) => (flagsAt(at) & (removedFlag | whiteFlag)) === removedFlag;
  let { start, end } = tokens;
  while (flagsAt(end) & accentFlag) end++;
  const marked = { start, end };
  while (isRemoved(start - 1)) start--;
  while (isRemoved(end) || flagsAt(end) & accentFlag) end++;
  return start === marked.start && end === marked.end ? [marked] : [marked, { start, end }];
}
