/** A token that is found in the text itself, before words are cut: `[SEP]` and what a model adds. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Found in the normalised text rather than in the text as given. */
  readonly isNormalized: boolean;
  /** Takes the white space before it, or after it, along. */
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
}

/** White space by Unicode's property, as the library's patterns know it. */
const whiteSpace = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export interface TokenFinder {
  readonly pattern: RegExp;
  readonly tokens: ReadonlyMap<string, AddedToken>;
}

/** Finds added tokens: the leftmost, of those that start together the longest. */
export function tokenFinder(tokens: readonly AddedToken[]): TokenFinder | undefined {
  if (tokens.length === 0) return undefined;
  const longestFirst = tokens.toSorted((a, b) => b.content.length - a.content.length);
  // No hyphen: it means nothing here, and may not be escaped with the flag u.
  const literals = longestFirst.map(({ content }) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return {
    pattern: new RegExp(literals.join("|"), "gu"),
    tokens: new Map(tokens.map((token) => [token.content, token])),
  };
}

/** The text cut at added tokens; a part without an id is ordinary text. */
export function partsOf(text: string, finder: TokenFinder | undefined): { text: string; id?: number }[] {
  if (!finder) return [{ text }];
  const parts: { text: string; id?: number }[] = [];
  let done = 0;
  for (const { 0: content, index } of text.matchAll(finder.pattern)) {
    const { id, stripsLeft, stripsRight } = finder.tokens.get(content) as AddedToken;
    let [start, end] = [index, index + content.length];
    while (stripsLeft && start > done && whiteSpace.test(text.charAt(start - 1))) start--;
    while (stripsRight && whiteSpace.test(text.charAt(end))) end++;
    if (start > done) parts.push({ text: text.slice(done, start) });
    parts.push({ text: text.slice(start, end), id });
    done = end;
  }
  if (done < text.length) parts.push({ text: text.slice(done) });
  return parts;
}
