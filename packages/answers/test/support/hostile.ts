import type { SeededRandom } from "./random.ts";

const pools = [
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000",
  "\ufeff\u200b\u200c\u200d\u2060\u180e\x00\x1b\x7f\u00ad",
  "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”‘’–—…·¿«»§†⁇＿．！",
  "\u0301\u0308\u0307\u0327\u064b\u093f\u20dd\ufe0f\u{1d165}",
  "aAeEtThHnNzZäÄßẞéıİiIſKΣσςΑαΏǅǆﬁŉΐᾳᾼДдابהדあ字ﾊ한𝐀𝒂𐐀𐐨𝔗🅰Ⓐⓐªᵃ",
  "0123456789²½٣३Ⅷↂ①㊿〇𝟘",
  "😀👩‍👩‍👧🇫🇷☃🂡\u202e\u200f",
].map((pool) => Array.from(pool));
const words = [
  "a",
  "an",
  "the",
  "A",
  "An",
  "THE",
  "ana",
  "th",
  "ΌΔΟΣ",
  "Σ",
  "ΑΣ",
  "ΣΑΣ",
  "İstanbul",
  "naïve",
  "l’an",
  "in",
];

/** A text of up to 12 parts: articles, words, and single characters that text rules trip over. */
export function hostileText(random: SeededRandom): string {
  const pick = <T>(items: readonly T[]) => items[random.integerBelow(items.length)] as T;
  let text = "";
  for (let parts = random.integerBelow(13); parts > 0; parts--) {
    text += random.integerBelow(3) === 0 ? pick(words) : pick(pick(pools));
    if (random.integerBelow(3) === 0) text += " ";
  }
  return text;
}

/** Any code point there is, lone surrogates included. */
export function randomText(random: SeededRandom): string {
  const codePoint = () => random.integerBelow(random.integerBelow(3) === 0 ? 0x110000 : 0x3000);
  return Array.from({ length: random.integerBelow(9) }, () => String.fromCodePoint(codePoint())).join("");
}
