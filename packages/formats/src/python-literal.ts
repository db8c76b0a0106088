/**
 * Reads what `str()` writes of a Python value into a spreadsheet's cell: dictionaries, lists, tuples, texts in either
 * quote, numbers, None, True, False, and numpy's `array([…], dtype=…)`, `np.int64(…)`, `np.str_(…)`. JSON is a part of it, but for its escapes.
 *
 * @throws SyntaxError saying where reading ended
 */
export function parsePythonLiteral(text: string): unknown {
  const reader = new LiteralReader(text);
  const value = reader.value();
  reader.end();
  return value;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  a: "\x07",
  v: "\v",
  "0": "\0",
  "\n": "",
};
const deepestNesting = 20;

class LiteralReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    if (++this.#depth > deepestNesting) this.#fail("less nesting");
    const value = this.#one();
    this.#depth--;
    return value;
  }

  end(): void {
    if (this.#peek() !== "") this.#fail("the end");
  }

  #one(): unknown {
    const next = this.#peek();
    if (next === "{") return Object.fromEntries(this.#list("{", "}", () => this.#entry()));
    if (next === "[") return this.#list("[", "]", () => this.value());
    if (next === "(") return this.#list("(", ")", () => this.value());
    if (next === "'" || next === '"') return this.#string(next);
    const word = this.#match(/-?\d[\d.eE+-]*|[A-Za-z_][\w.]*/y) ?? this.#fail("a value");
    if (/^-?\d/.test(word)) return String(Number(word)) === word ? Number(word) : word;
    if (/^(None|null|nan|NaN)$/.test(word)) return null;
    if (/^true$/i.test(word)) return true;
    if (/^false$/i.test(word)) return false;
    return /^(array|np\.\w+)$/.test(word) ? this.#numpy() : this.#fail("a value");
  }

  #numpy(): unknown {
    this.#take("(");
    const value = this.value();
    if (this.#peek() === ",") this.#match(/,\s*dtype\s*=\s*['"<\w]*['"]?/y);
    this.#take(")");
    return value;
  }

  #entry(): [string, unknown] {
    const key = this.value();
    this.#take(":");
    return [String(key), this.value()];
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#take(open);
    while (this.#peek() !== close) {
      items.push(item());
      // numpy leaves commas out: [1 2].
      if (this.#peek() === ",") this.#at++;
    }
    this.#take(close);
    return items;
  }

  #string(quote: string): string {
    const parts: string[] = [];
    for (this.#at++; this.#text[this.#at] !== quote; this.#at++) {
      const character = this.#text[this.#at];
      if (character === undefined) this.#fail(`a closing ${quote}`);
      parts.push(character === "\\" ? this.#escape() : character);
    }
    this.#at++;
    return parts.join("");
  }

  #escape(): string {
    const code = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/y;
    code.lastIndex = this.#at;
    const match = code.exec(this.#text);
    if (match) {
      this.#at += match[0].length - 1;
      const value = Number.parseInt((match[1] ?? match[2] ?? match[3]) as string, 16);
      return match[2] ? String.fromCharCode(value) : String.fromCodePoint(Math.min(value, 0x10ffff));
    }
    const character = this.#text[++this.#at] ?? "";
    return escapes[character] ?? character;
  }

  #peek(): string {
    this.#match(/\s+/y);
    return this.#text[this.#at] ?? "";
  }

  #take(expected: string): void {
    if (this.#peek() !== expected) this.#fail(expected);
    this.#at++;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    this.#at += match?.length ?? 0;
    return match;
  }

  #fail(expected: string): never {
    throw new SyntaxError(
      `expected ${expected} at character ${this.#at + 1} of ${JSON.stringify(this.#text.slice(0, 60))}`,
    );
  }
}
