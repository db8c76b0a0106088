import { countCodePoints } from "./positions.ts";
import type { RawGold } from "./read-answers.ts";
import { cutsWord, nameDifference, offsetUnits, quote, trimmed, type OffsetUnit, type Passage } from "./read-places.ts";
import type { ProblemKind } from "./read-problems.ts";

/** An answer found in its passage, or the reason why it was not. */
export interface PlacedGold {
  /** The passage's own text where `startCodePoint` is set; else the file's. */
  readonly text: string;
  /** Undefined where the text stands nowhere, or nobody can say where: no label, but good enough to score by. */
  readonly startCodePoint: number | undefined;
  readonly problem?: { readonly kind: ProblemKind; readonly what: string };
}

/**
 * Finds an answer in its passage. In this order, it is read as standing
 *
 * 1. where its file says, as it is or without the white space at its ends (annotators drag over the space beside it);
 * 2. there, spelled as the passage spells it, where only case, accents' encoding, width, spaces, quotes or dashes differ;
 * 3. in the only place where its text stands, unless that cuts a word apart.
 *
 * Whatever is none of these could mean more than one thing and is not read.
 */
export function placeGold(passage: Passage, { text, start }: RawGold, unit: OffsetUnit): PlacedGold {
  const at = start === undefined ? undefined : passage.utf16Of(start, unit);
  const bare = trimmed(text);
  if (at !== undefined) {
    if (passage.text.startsWith(text, at)) return { text, startCodePoint: passage.codePointOf(at) };
    if (passage.text.startsWith(bare, at)) return { text: bare, startCodePoint: passage.codePointOf(at) };
    const respelled = respelledAt(passage, bare, at);
    if (respelled) return { ...respelled, startCodePoint: passage.codePointOf(at) };
  }
  const places = passage.placesOf(bare);
  const only = places.length === 1 ? (places[0] as number) : undefined;
  if (only !== undefined && !cutsWord(passage.text, only, only + bare.length)) {
    const startCodePoint = passage.codePointOf(only);
    if (start === undefined) return { text: bare, startCodePoint };
    const what = `answer ${quote(bare)} does not stand at ${start} but at ${startCodePoint}, its only place`;
    return { text: bare, startCodePoint, problem: { kind: "MovedAnswer", what } };
  }
  return { text, startCodePoint: undefined, problem: explain(passage, text, start, unit, places) };
}

/** Whether an answer stands exactly where its file says, if its offsets count this unit. */
export function standsAt(passage: Passage, text: string, start: number, unit: OffsetUnit): boolean {
  const at = passage.utf16Of(start, unit);
  return at !== undefined && (passage.text.startsWith(text, at) || passage.text.startsWith(trimmed(text), at));
}

function respelledAt(passage: Passage, answer: string, at: number) {
  const slice = passage.lookalikeAt(answer, at);
  if (slice === undefined || trimmed(slice) !== slice) return undefined;
  const what = `answer ${quote(answer)} is spelled otherwise in its passage; it differs in ${nameDifference(slice, answer)}`;
  return { text: slice, problem: { kind: "RespelledAnswer" as const, what } };
}

function sliceAt(text: string, at: number, codePoints: number): string {
  let end = at;
  for (let i = 0; i < codePoints && end < text.length; i++) end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  return text.slice(at, end);
}

function explain(
  passage: Passage,
  text: string,
  start: number | undefined,
  unit: OffsetUnit,
  places: readonly number[],
): { kind: ProblemKind; what: string } {
  const found = describePlaces(passage, trimmed(text), start, places);
  if (start === undefined) {
    const kind = places.length > 1 ? "AmbiguousLabel" : "LostLabel";
    return { kind, what: `answer ${quote(text)} has no position; ${found}` };
  }
  const at = passage.utf16Of(start, unit);
  if (at === undefined || at >= passage.text.length) {
    const size = `${passage.codePointCount.toLocaleString("en-US")} characters`;
    return {
      kind: "LostLabel",
      what: `answer ${quote(text)} starts at ${start}, past the passage's ${size}; ${found}`,
    };
  }
  const held = quote(sliceAt(passage.text, at, countCodePoints(text)));
  const other = offsetUnits.find((one) => one !== unit && standsAt(passage, text, start, one));
  const hint = other ? `; it stands there in ${other}, while other rows count ${unit}` : "";
  const what = `answer ${quote(text)} differs from its passage, which has ${held} at ${start}; ${found}${hint}`;
  return { kind: "LostLabel", what };
}

function describePlaces(passage: Passage, text: string, start: number | undefined, places: readonly number[]): string {
  if (places.length === 0) return describeLookalike(passage, text);
  if (places.length === 1) return `its only place, ${passage.codePointOf(places[0] as number)}, cuts a word apart`;
  const codePoints = places.map((at) => passage.codePointOf(at));
  const from = start ?? 0;
  const nearest = codePoints.toSorted((a, b) => Math.abs(a - from) - Math.abs(b - from)).slice(0, 5);
  const more = codePoints.length > nearest.length ? ` and ${codePoints.length - nearest.length} more` : "";
  return `it stands in ${codePoints.length} places: ${nearest.toSorted((a, b) => a - b).join(", ")}${more}`;
}

/** Where a text that looks alike stands, and the character that differs. */
function describeLookalike(passage: Passage, text: string): string {
  const range = passage.lookalikeOf(text);
  if (!range) return "the passage does not hold its text";
  return `at ${passage.codePointOf(range[0])} it differs in ${nameDifference(passage.text.slice(...range), text)}`;
}
