/**
 * The official evaluator's text rules a second time, written as literally as TypeScript allows and without a thought of
 * speed: an oracle for the real one.
 */
const punctuation = new Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
const spaces = new Set(
  [0x9, 0xa, 0xb, 0xc, 0xd, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]
    .concat(Array.from({ length: 11 }, (_, i) => 0x2000 + i))
    .map((code) => String.fromCodePoint(code)),
);

export function literalTokens(text: string): string[] {
  return split(removeArticles(removePunctuation(lower(text))));
}

export function literalExact(gold: string, answer: string): number {
  return literalTokens(gold).join(" ") === literalTokens(answer).join(" ") ? 1 : 0;
}

export function literalF1(gold: string, answer: string): number {
  const goldTokens = gold === "" ? [] : literalTokens(gold);
  const answerTokens = answer === "" ? [] : literalTokens(answer);
  if (goldTokens.length === 0 || answerTokens.length === 0)
    return goldTokens.join(" ") === answerTokens.join(" ") ? 1 : 0;
  const [goldCounts, answerCounts] = [count(goldTokens), count(answerTokens)];
  let same = 0;
  for (const [token, times] of goldCounts) same += Math.min(times, answerCounts.get(token) ?? 0);
  if (same === 0) return 0;
  const precision = (1.0 * same) / answerTokens.length;
  const recall = (1.0 * same) / goldTokens.length;
  return (2 * precision * recall) / (precision + recall);
}

/** Code point by code point; the capital sigma by the rule of Unicode's SpecialCasing.txt, Final_Sigma. */
function lower(text: string): string {
  const characters = Array.from(text);
  const isIgnorable = (character: string) => /^\p{Case_Ignorable}$/u.test(character);
  const isCased = (character: string | undefined) => character !== undefined && /^\p{Cased}$/u.test(character);
  return characters
    .map((character, at) => {
      if (character !== "Σ") return character.toLowerCase();
      const before = characters.slice(0, at).findLast((other) => !isIgnorable(other));
      const after = characters.slice(at + 1).find((other) => !isIgnorable(other));
      return isCased(before) && !isCased(after) ? "ς" : "σ";
    })
    .join("");
}

function removePunctuation(text: string): string {
  return Array.from(text)
    .filter((character) => !punctuation.has(character))
    .join("");
}

function removeArticles(text: string): string {
  const characters = Array.from(text);
  const isWord = (at: number) => {
    const character = characters[at];
    return character !== undefined && (character === "_" || /^[\p{L}\p{N}]$/u.test(character));
  };
  const isBoundary = (at: number) => isWord(at - 1) !== isWord(at);
  let result = "";
  for (let at = 0; at < characters.length;) {
    const article = ["a", "an", "the"].find((word) => {
      const found = characters.slice(at, at + word.length).join("") === word;
      return found && isBoundary(at) && isBoundary(at + word.length);
    });
    result += article ? " " : (characters[at] as string);
    at += article ? article.length : 1;
  }
  return result;
}

function split(text: string): string[] {
  const tokens: string[] = [];
  let token = "";
  for (const character of Array.from(text).concat(" ")) {
    if (!spaces.has(character)) token += character;
    else if (token !== "") {
      tokens.push(token);
      token = "";
    }
  }
  return tokens;
}

function count(tokens: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return counts;
}
