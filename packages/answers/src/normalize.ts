import {
  accentFlag,
  chineseFlag,
  composedFlag,
  decompose,
  lowerFlag,
  removedFlag,
  unicodeTables,
  whiteFlag,
  type UnicodeTables,
} from "./unicode.ts";

/** Options of the tokenizers library's BertNormalizer. */
export interface NormalizerOptions {
  /** Remove control characters, U+0000 and U+FFFD; turn white space into spaces. */
  readonly cleanText: boolean;
  /** Put spaces around Chinese characters. */
  readonly chineseCharacters: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

const space = 0x20;
const replacement = 0xfffd;
const capitalIWithDot = 0x130;
const dotAbove = 0x307;

/** A mark that waits for its place in a run of combining marks. */
interface PendingMark {
  readonly codePoint: number;
  /** Rank of its combining class. */
  readonly rank: number;
  /** Not the first of its character's decomposition. */
  readonly isInserted: boolean;
}

/**
 * A text as the tokenizers library's BertNormalizer leaves it, N code points, with the library's alignments: each comes
 * from one code point of the text, and one code point may become several or none.
 */
export class NormalizedText {
  /** N; the arrays may be longer. */
  length = 0;
  codePoints: Int32Array;
  /** Position in the text of the code point that each came from, ascending. */
  sources: Int32Array;
  readonly #options: NormalizerOptions;
  readonly #tables: UnicodeTables = unicodeTables();
  #source: number;
  readonly #pending: PendingMark[] = [];
  readonly #pendingSources: number[] = [];
  #lastSource: number;

  /** @param firstSource position of the text's first code point, where the text is a part of a longer one */
  constructor(text: string, options: NormalizerOptions, firstSource = 0) {
    this.codePoints = new Int32Array(text.length + 16);
    this.sources = new Int32Array(text.length + 16);
    this.#options = options;
    this.#source = firstSource;
    this.#lastSource = firstSource;
    for (let i = 0; i < text.length; this.#source++) {
      const c = text.codePointAt(i) as number;
      i += c > 0xffff ? 2 : 1;
      this.#clean(c);
    }
    this.#flush();
  }

  #clean(c: number): void {
    // The library takes UTF-8, in which a lone surrogate is the replacement character.
    if (c >= 0xd800 && c <= 0xdfff) c = replacement;
    const flags = this.#tables.flags[c] as number;
    if (this.#options.cleanText) {
      if (flags & removedFlag) return;
      if (flags & whiteFlag) c = space;
    }
    const isSpacedOut = (flags & chineseFlag) !== 0 && this.#options.chineseCharacters;
    if (isSpacedOut) this.#stripAccents(space);
    this.#stripAccents(c);
    if (isSpacedOut) this.#stripAccents(space);
  }

  /** Canonical decomposition (NFD), then without marks that take no space. */
  #stripAccents(c: number): void {
    if (!this.#options.stripAccents) return this.#lower(c, this.#source);
    if (!((this.#tables.flags[c] as number) & composedFlag)) return this.#emit(c, this.#source);
    decompose(c).forEach((part, i) => {
      const rank = this.#tables.combining.get(part) ?? 0;
      if (rank === 0) return this.#emit(part, i > 0 ? this.#lastSource : this.#source);
      this.#pending.push({ codePoint: part, rank, isInserted: i > 0 });
      if (i === 0) this.#pendingSources.push(this.#source);
    });
  }

  #emit(c: number, source: number): void {
    if (this.#pending.length > 0) this.#flush();
    this.#lastSource = source;
    if (!((this.#tables.flags[c] as number) & accentFlag)) this.#lower(c, source);
  }

  /**
   * Combining marks in the order of their classes. In the library the first parts of decompositions take the sources one
   * after another, whatever mark came from which, and the other parts that of the part before them.
   */
  #flush(): void {
    const marks = this.#pending.splice(0).sort((a, b) => a.rank - b.rank); // stable
    for (const { codePoint, isInserted } of marks) {
      if (!isInserted) this.#lastSource = this.#pendingSources.shift() as number;
      if (!((this.#tables.flags[codePoint] as number) & accentFlag)) this.#lower(codePoint, this.#lastSource);
    }
  }

  #lower(c: number, source: number): void {
    if (!this.#options.lowercase || !((this.#tables.flags[c] as number) & lowerFlag)) return this.#push(c, source);
    this.#push(this.#tables.lower.get(c) as number, source);
    if (c === capitalIWithDot) this.#push(dotAbove, source);
  }

  #push(c: number, source: number): void {
    if (this.length === this.codePoints.length) {
      const grown = (old: Int32Array) => {
        const larger = new Int32Array(2 * old.length);
        larger.set(old);
        return larger;
      };
      this.codePoints = grown(this.codePoints);
      this.sources = grown(this.sources);
    }
    this.codePoints[this.length] = c;
    this.sources[this.length++] = source;
  }
}
