/** A passage, and how to find places in it; made once for all its questions. */
export class Passage {
  readonly text: string;
  readonly isAscii: boolean;
  #starts: Partial<Record<OffsetUnit, Int32Array>> = {};
  #folded: FoldedText | undefined;

  constructor(text: string) {
    this.text = text;
    this.isAscii = !/[^\0-\x7f]/.test(text);
  }

  get codePointCount(): number {
    return this.isAscii ? this.text.length : this.starts("code points").length - 1;
  }

  /** UTF-16 index of an offset; undefined where it is past the end or inside a character. */
  utf16Of(start: number, unit: OffsetUnit): number | undefined {
    if (this.isAscii || unit === "UTF-16 units") return start <= this.text.length ? start : undefined;
    if (unit === "code points") return this.starts(unit)[start];
    const starts = this.starts("bytes");
    const codePoint = lowerBound(starts, start);
    return starts[codePoint] === start ? this.starts("code points")[codePoint] : undefined;
  }

  /** Code point that starts at a UTF-16 index. */
  codePointOf(utf16: number): number {
    return this.isAscii ? utf16 : lowerBound(this.starts("code points"), utf16);
  }

  /** UTF-16 indices of a text, ascending, the first 1,000: one letter stands 20,000 times in a long passage. */
  placesOf(text: string): number[] {
    const places: number[] = [];
    for (let at = this.text.indexOf(text); at >= 0 && places.length < countedPlaces;) {
      places.push(at);
      at = this.text.indexOf(text, at + 1);
    }
    return places;
  }

  /** The first UTF-16 range of whole characters that looks alike, or begins and ends so: see {@link fold}. */
  lookalikeOf(text: string): readonly [start: number, end: number] | undefined {
    const { text: passage, utf16 } = this.folded();
    const folded = fold(text);
    const at = folded === "" ? -1 : passage.indexOf(folded);
    if (at < 0) return undefined;
    let end = at + folded.length;
    while (utf16[end] === utf16[end - 1]) end++;
    return [utf16[at] as number, utf16[end] ?? this.text.length];
  }

  /** What looks like `text` at a UTF-16 index; undefined where something else stands there. */
  lookalikeAt(text: string, start: number): string | undefined {
    const { text: passage, utf16 } = this.folded();
    const folded = fold(text);
    const at = lowerBound(utf16, start);
    if (folded === "" || utf16[at] !== start || !passage.startsWith(folded, at)) return undefined;
    const end = at + folded.length;
    // Inside a character, such as an "é" that is taken apart here, it is another text: "cafe" is no spelling of "café".
    if (utf16[end] === utf16[end - 1]) return undefined;
    return this.text.slice(start, utf16[end] ?? this.text.length);
  }

  private folded(): FoldedText {
    return (this.#folded ??= foldEach(this.text));
  }

  /** Start of each code point and of the end, in UTF-16 units (`code points`) or in bytes. */
  private starts(unit: "code points" | "bytes"): Int32Array {
    return (this.#starts[unit] ??= startsOf(this.text, unit));
  }
}

const countedPlaces = 1000;

/** What an `answer_start` counts. Python and SQuAD count code points; JavaScript tools UTF-16 units; some databases bytes. */
export const offsetUnits = ["code points", "UTF-16 units", "bytes"] as const;
export type OffsetUnit = (typeof offsetUnits)[number];

function startsOf(text: string, unit: "code points" | "bytes"): Int32Array {
  const starts = new Int32Array(text.length + 1);
  let [count, at] = [0, 0];
  for (const character of text) {
    starts[count++] = at;
    at += unit === "bytes" ? byteLength(character) : character.length;
  }
  starts[count++] = at;
  return starts.slice(0, count);
}

function byteLength(character: string): number {
  const code = character.codePointAt(0) as number;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** First index whose value is not below `value`; `values` ascend. */
function lowerBound(values: ArrayLike<number>, value: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface FoldedText {
  readonly text: string;
  /** UTF-16 index in the passage of each unit of `text`. */
  readonly utf16: readonly number[];
}

function foldEach(text: string): FoldedText {
  const [parts, utf16]: [string[], number[]] = [[], []];
  let at = 0;
  for (const character of text) {
    const part = character < "\x80" ? character.toLowerCase().replace(/\s/, " ") : fold(character);
    parts.push(part);
    utf16.push(...Array<number>(part.length).fill(at));
    at += character.length;
  }
  return { text: parts.join(""), utf16 };
}

/** Makes characters equal that look alike: letter case, accents written apart, full width, ligatures (NFKD), spaces, quotes, dashes; drops invisible ones. */
function fold(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\s/g, " ")
    .replace(/[\u2018\u2019\u201b\u2032`\u00b4]/g, "'")
    .replace(/[\u201c\u201d\u201e\u00ab\u00bb]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u00ad\u200b-\u200f\u2060\ufeff]/g, "");
}

const wordCharacter = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Nd}]/u;

/**
 * Whether the slice [start, end) begins or ends inside a word, as "art" in "party" does. Scripts that write words
 * together (Chinese, Thai) or join endings to them (Korean) cannot be told apart so.
 */
export function cutsWord(text: string, start: number, end: number): boolean {
  const joined = (at: number) => wordCharacter.test(text[at - 1] ?? "") && wordCharacter.test(text[at] ?? "");
  return joined(start) || joined(end);
}

/** White space to Python's `str.split` and to JavaScript alike: what the official script takes off an answer's ends anyway. */
const outerSpace = /^[^\S\ufeff]+|[^\S\ufeff]+$/g;

export function trimmed(text: string): string {
  return text.replace(outerSpace, "");
}

/** Names the first character that differs: `character 4: U+00A0 no-break space in the passage, U+0020 space in the answer`. */
export function nameDifference(inPassage: string, inAnswer: string): string {
  if (inPassage.toLowerCase() === inAnswer.toLowerCase()) return `case: the passage has ${quote(inPassage)}`;
  if (inPassage.normalize("NFC") === inAnswer.normalize("NFC")) return "Unicode normalization (accents written apart)";
  const [ours, theirs] = [[...inPassage], [...inAnswer]];
  const at = ours.findIndex((character, i) => character.toLowerCase() !== theirs[i]?.toLowerCase());
  const position = at < 0 ? ours.length : at;
  const [passage, answer] = [nameCharacter(ours[position]), nameCharacter(theirs[position])];
  return `character ${position + 1}: ${passage} in the passage, ${answer} in the answer`;
}

const characterNames: Readonly<Record<string, string>> = {
  "\t": "tab",
  "\n": "line break",
  "\r": "carriage return",
  " ": "space",
  "\u00a0": "no-break space",
  "\u00ad": "soft hyphen",
  "\u2009": "thin space",
  "\u200b": "zero-width space",
  "\u200c": "zero-width non-joiner",
  "\u200d": "zero-width joiner",
  "\u200e": "left-to-right mark",
  "\u200f": "right-to-left mark",
  "\u202f": "narrow no-break space",
  "\u3000": "ideographic space",
  "\ufeff": "byte order mark",
};

function nameCharacter(character: string | undefined): string {
  if (character === undefined) return "nothing";
  const code = `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
  return `${code} ${characterNames[character] ?? quote(character)}`;
}

/** A text in a message, cut to a readable length. */
export function quote(text: string, longest = 60): string {
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest)}…` : text);
}
