import type { CharacterRange } from "../question-answering.ts";

/** The sentence around an answer, cut where it is very long. `marked` is the answer within it. */
export interface MarkedSentence {
  readonly before: string;
  readonly marked: string;
  readonly after: string;
}

/** How far sentences are looked for on either side, in UTF-16 units: a long passage is not cut up whole. */
const reach = 1000;
/** Shown on either side at most. */
const widest = 160;

/** Of any system's line ends. */
const blankLine = /\n[^\S\n]*\n/;

/** Finds the sentence that an answer stands in, by Unicode's rules; a blank line ends one, too. */
export function sentenceAround(passage: string, { utf16: [start, end] }: CharacterRange): MarkedSentence {
  const [ahead, behind] = [passage.slice(Math.max(0, start - reach), start), passage.slice(end, end + reach)];
  const from = start - ahead.split(blankLine).at(-1)!.length;
  const to = end + behind.split(blankLine)[0]!.length;
  // A line end within a paragraph is no sentence end. As many characters as before, so that positions stay.
  const text = passage.slice(from, to).replace(/[\r\n]/g, " ");
  let [first, last] = [start, end];
  for (const { index, segment } of new Intl.Segmenter("und", { granularity: "sentence" }).segment(text)) {
    const [segmentStart, segmentEnd] = [from + index, from + index + segment.length];
    if (segmentStart <= start && start < segmentEnd) first = segmentStart;
    if (segmentStart < end && end <= segmentEnd) last = segmentEnd;
  }
  const oneLine = (text: string) => text.replace(/\s+/gu, " ");
  const before = oneLine(passage.slice(first, start)).trimStart();
  const after = oneLine(passage.slice(end, last)).trimEnd();
  return {
    before: before.length > widest ? `…${before.slice(-widest)}` : before,
    marked: oneLine(passage.slice(start, end)),
    after: after.length > widest ? `${after.slice(0, widest)}…` : after,
  };
}
