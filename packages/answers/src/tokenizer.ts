import { countCodePoints } from "@bertqa/squad";
import { partsOf, tokenFinder, type AddedToken, type TokenFinder } from "./added-tokens.ts";
import { NormalizedText, type NormalizerOptions } from "./normalize.ts";
import type { FrameIds, TokenizedText } from "./tokens.ts";
import { punctuationFlag, unicodeTables, whiteFlag } from "./unicode.ts";

/** All that a `tokenizer.json` or a `vocab.txt` says. */
export interface WordPieceSettings extends FrameIds {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number;
  /** `##` */
  readonly continuationPrefix: string;
  /** Longer words are unknown, in code points. */
  readonly maxWordLength: number;
  readonly normalizer: NormalizerOptions;
  readonly addedTokens: readonly AddedToken[];
}

/** A word's pieces: ids, and where each ends in the word, in code points. */
interface Pieces {
  readonly ids: readonly number[];
  readonly ends: readonly number[];
}

/** Words whose pieces are kept. */
const cachedWords = 20_000;

/**
 * BERT's WordPiece tokenizer with offsets: ids and offsets are those of the tokenizers library for a BertNormalizer, a
 * BertPreTokenizer and a WordPiece model, whose truth is held by tests.
 */
export class WordPieceTokenizer implements FrameIds {
  readonly clsId: number;
  readonly sepId: number;
  readonly vocabularySize: number;
  readonly #settings: WordPieceSettings;
  /** Pieces within a word, without their prefix. */
  readonly #continuations = new Map<string, number>();
  readonly #longestPiece: number;
  readonly #inText: TokenFinder | undefined;
  readonly #inNormalizedText: TokenFinder | undefined;
  readonly #flags = unicodeTables().flags;
  readonly #cache = new Map<string, Pieces>();

  constructor(settings: WordPieceSettings) {
    this.#settings = settings;
    this.clsId = settings.clsId;
    this.sepId = settings.sepId;
    let longest = 0;
    for (const [token, id] of settings.vocabulary) {
      longest = Math.max(longest, token.length);
      if (token.startsWith(settings.continuationPrefix)) {
        this.#continuations.set(token.slice(settings.continuationPrefix.length), id);
      }
    }
    this.#longestPiece = longest;
    const { addedTokens, normalizer } = settings;
    const added = new Set(addedTokens.map(({ content }) => content).filter((text) => !settings.vocabulary.has(text)));
    this.vocabularySize = settings.vocabulary.size + added.size;
    const normalized = addedTokens
      .filter(({ isNormalized }) => isNormalized)
      .map((token) => ({ ...token, content: textOf(new NormalizedText(token.content, normalizer)) }));
    this.#inText = tokenFinder(addedTokens.filter(({ isNormalized }) => !isNormalized));
    this.#inNormalizedText = tokenFinder(normalized);
  }

  /** The text's tokens, without `[CLS]` and `[SEP]` around them. */
  encode(text: string): TokenizedText {
    const out = new TokenList();
    let position = 0;
    for (const part of partsOf(text, this.#inText)) {
      const length = part.id === undefined && part.text.length === text.length ? 0 : countCodePoints(part.text);
      if (part.id === undefined) this.#encodePart(part.text, position, out);
      else out.push(part.id, position, position + length);
      position += length;
    }
    return out.take();
  }

  #encodePart(text: string, position: number, out: TokenList): void {
    const normalized = new NormalizedText(text, this.#settings.normalizer, position);
    if (!this.#inNormalizedText) return this.#encodeWords(normalized, 0, normalized.length, out);
    let first = 0;
    for (const part of partsOf(textOf(normalized), this.#inNormalizedText)) {
      const end = first + countCodePoints(part.text);
      if (part.id === undefined) this.#encodeWords(normalized, first, end, out);
      else out.push(part.id, normalized.sources[first] as number, (normalized.sources[end - 1] as number) + 1);
      first = end;
    }
  }

  /** Cuts at white space, and around each punctuation character. */
  #encodeWords(text: NormalizedText, first: number, end: number, out: TokenList): void {
    let start = first;
    for (let i = first; i < end; i++) {
      const flags = this.#flags[text.codePoints[i] as number] as number;
      if (!(flags & (whiteFlag | punctuationFlag))) continue;
      if (i > start) this.#encodeWord(text, start, i, out);
      if (flags & punctuationFlag) this.#encodeWord(text, i, i + 1, out);
      start = i + 1;
    }
    if (end > start) this.#encodeWord(text, start, end, out);
  }

  #encodeWord({ codePoints, sources }: NormalizedText, start: number, end: number, out: TokenList): void {
    const length = end - start;
    const unknown = { ids: [this.#settings.unknownId], ends: [length] };
    const isTooLong = length > this.#settings.maxWordLength;
    const { ids, ends } = isTooLong ? unknown : this.#piecesOf(codePoints.subarray(start, end), unknown);
    for (let piece = 0, from = start; piece < ids.length; piece++) {
      const to = start + (ends[piece] as number);
      out.push(ids[piece] as number, sources[from] as number, (sources[to - 1] as number) + 1);
      from = to;
    }
  }

  #piecesOf(word: Int32Array, unknown: Pieces): Pieces {
    // Not by spreading, which takes an iterator through every word.
    const text = String.fromCodePoint.apply(null, word as unknown as number[]);
    const known = this.#cache.get(text);
    if (known) return known;
    if (this.#cache.size >= cachedWords) this.#cache.clear();
    const found = this.#cutIntoPieces(text, word) ?? unknown;
    this.#cache.set(text, found);
    return found;
  }

  /** From the left, the longest piece that the vocabulary has; undefined where there is none. */
  #cutIntoPieces(text: string, word: Int32Array): Pieces | undefined {
    const ids: number[] = [];
    const ends: number[] = [];
    let from = 0;
    for (let start = 0; start < word.length; start = ends.at(-1) as number) {
      const vocabulary = start === 0 ? this.#settings.vocabulary : this.#continuations;
      let end = word.length;
      let to = text.length;
      let id: number | undefined;
      for (; end > start; to -= (word[--end] as number) > 0xffff ? 2 : 1) {
        if (to - from > this.#longestPiece) continue;
        id = vocabulary.get(text.slice(from, to));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      ends.push(end);
      from = to;
    }
    return { ids, ends };
  }
}

/** Tokens in typed arrays that grow. */
class TokenList {
  readonly #ids: number[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  push(id: number, start: number, end: number): void {
    this.#ids.push(id);
    this.#starts.push(start);
    this.#ends.push(end);
  }

  take(): TokenizedText {
    return {
      ids: Int32Array.from(this.#ids),
      startCodePoints: Int32Array.from(this.#starts),
      endCodePoints: Int32Array.from(this.#ends),
    };
  }
}

function textOf({ codePoints, length }: NormalizedText): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCodePoint(codePoints[i] as number);
  return text;
}
