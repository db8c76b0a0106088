/**
 * The official evaluator's text normalisation: lower case, no ASCII punctuation, no articles, white space as separator.
 * It is written in Python, whose string rules are kept where JavaScript's differ:
 *
 * - `str.split()` separates at U+001C–U+001F and U+0085 too, and not at U+FEFF;
 * - `\b` in a Python pattern knows all of Unicode: `\w` is every letter, every number and `_`, but no combining mark, so
 *   the "a" of "a" + U+0301 is an article there;
 * - `string.punctuation` is the 32 ASCII signs alone: “ ” – … stay.
 *
 * `toLowerCase` and `str.lower` are both Unicode's full mapping (final sigma, İ). Both sides follow the Unicode version of
 * their runtime: the two differ only on characters that the older one does not know.
 */
const pythonPunctuation = /[!-/:-@[-`{-~]+/g;
const pythonArticle = /(?<![\p{L}\p{N}_])(?:an?|the)(?![\p{L}\p{N}_])/gu;
const pythonSpaces = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** What {@link asciiTokens} does with a character; everything else takes the general way. */
const space = 1;
const punctuation = 2;
const lowerOrDigit = 3;
const upper = 4;
const asciiClasses = classifyAscii();

/**
 * Normalised tokens of an answer. Two answers are an exact match where their tokens are equal.
 *
 * @returns what `normalize_answer(text).split()` gives in the script; empty where nothing is left
 */
export function normalizedTokens(text: string): string[] {
  return asciiTokens(text) ?? unicodeTokens(text);
}

function unicodeTokens(text: string): string[] {
  const withoutArticles = text.toLowerCase().replace(pythonPunctuation, "").replace(pythonArticle, " ");
  return withoutArticles.split(pythonSpaces).filter((token) => token !== "");
}

/**
 * The same for printable ASCII, about five times as fast. There, what punctuation leaves of a word is letters and digits
 * alone, so an article is a whole token.
 *
 * @returns undefined where the text holds anything else
 */
function asciiTokens(text: string): string[] | undefined {
  const tokens: string[] = [];
  let token = "";
  let start = 0;
  let isLower = true;
  for (let at = 0; at <= text.length; at++) {
    const kind = at < text.length ? asciiClasses[text.charCodeAt(at)] : space;
    if (kind === lowerOrDigit) continue;
    if (kind === upper) {
      isLower = false;
      continue;
    }
    if (kind !== space && kind !== punctuation) return undefined;
    if (at > start) token += text.slice(start, at);
    start = at + 1;
    if (kind === punctuation || token === "") continue;
    if (!isLower) token = token.toLowerCase();
    if (token !== "a" && token !== "an" && token !== "the") tokens.push(token);
    token = "";
    isLower = true;
  }
  return tokens;
}

function classifyAscii(): Uint8Array {
  const classes = new Uint8Array(128);
  for (let code = 0x21; code < 0x7f; code++) {
    const character = String.fromCharCode(code);
    classes[code] = /[a-z0-9]/.test(character) ? lowerOrDigit : /[A-Z]/.test(character) ? upper : punctuation;
  }
  for (const character of "\t\n\r ") classes[character.charCodeAt(0)] = space;
  return classes;
}
