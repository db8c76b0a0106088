import { countCodePoints, utf16OfCodePoint } from "@bertqa/core";

/** A context with its code point index, made once a paragraph. */
export interface ContextText {
  readonly text: string;
  readonly codePointCount: number;
  /** UTF-16 index by code point; undefined where the two are equal. */
  readonly utf16: Int32Array | undefined;
}

export function contextText(text: string): ContextText {
  const utf16 = utf16OfCodePoint(text);
  return { text, utf16, codePointCount: utf16 ? utf16.length - 1 : text.length };
}

/**
 * Says how an answer differs from the slice of its context at `startCodePoint`, and where its text is found instead.
 *
 * @returns undefined where the two are equal
 */
export function describeMismatch(context: ContextText, answer: string, startCodePoint: number): string | undefined {
  const { text, utf16, codePointCount } = context;
  const start = utf16 ? utf16[startCodePoint] : startCodePoint;
  if (start !== undefined && start < text.length && text.startsWith(answer, start)) return undefined;
  const quoted = quote(answer);
  const hint = describeFound(context, answer, startCodePoint);
  if (startCodePoint >= codePointCount) {
    return `answer ${quoted} starts at ${startCodePoint}, past the context's ${codePointCount} characters; ${hint}`;
  }
  const held = text.slice(start, (start as number) + answer.length);
  return `answer ${quoted} differs from its context, which holds ${quote(held)} at ${startCodePoint}; ${hint}`;
}

function describeFound({ text }: ContextText, answer: string, startCodePoint: number): string {
  const starts: number[] = [];
  for (let at = text.indexOf(answer); at >= 0; at = text.indexOf(answer, at + 1)) starts.push(at);
  if (starts.length === 0) {
    const normalized = text.normalize("NFC").includes(answer.normalize("NFC"));
    return normalized ? "found only after Unicode normalization" : "the text is not in the context";
  }
  const places = starts.map((utf16Index) => countCodePoints(text.slice(0, utf16Index)));
  const nearest = places.toSorted((a, b) => Math.abs(a - startCodePoint) - Math.abs(b - startCodePoint))[0] as number;
  const found = `found at ${nearest}${places.length > 1 ? ` (and ${places.length - 1} more)` : ""}`;
  return starts.includes(startCodePoint)
    ? `found at ${places[starts.indexOf(startCodePoint)]}: answer_start counts UTF-16 units here, expected code points (as Python counts)`
    : found;
}

/** A text in a message, cut to a readable length. */
export function quote(text: string, longest = 60): string {
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest)}…` : text);
}
