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

/**
 * Normalised tokens of an answer. Two answers are an exact match where their tokens are equal.
 *
 * @returns what `normalize_answer(text).split()` gives in the script; empty where nothing is left
 */
export function normalizedTokens(text: string): string[] {
  const withoutArticles = text.toLowerCase().replace(pythonPunctuation, "").replace(pythonArticle, " ");
  return withoutArticles.split(pythonSpaces).filter((token) => token !== "");
}
