/** JSON of people's data files: no number loses a digit, and nothing in it can overflow the stack of a later reader. */

/** Deeper than any data file; a text of 100,000 brackets is an attack or a damaged file. */
const deepestNesting = 100;

/**
 * Parses JSON. A number that a double cannot hold digit for digit (an id beyond 2^53, `1.0`, `1e3`) becomes the text of
 * its digits; `NaN`, which Python's `json` writes for an empty cell, becomes null. A byte order mark is let through.
 *
 * Numbers are looked for between the strings only, which takes 0.1 s for 40 MB; parsers that wrap each number
 * (lossless-json) took 20 times as long as JSON.parse.
 *
 * @throws SyntaxError with line (where there are several) and column, or where brackets nest deeper than 100
 */
export function parseDataJson(text: string): unknown {
  const json = text.startsWith("\ufeff") ? text.slice(1) : text;
  const exact = keepDigits(json);
  try {
    return JSON.parse(exact);
  } catch (error) {
    const cause = errorInFile(json) ?? error;
    // V8 quotes a part of the text, line breaks and all.
    const reason = (cause as Error).message.replace(/\s+/g, " ");
    throw new SyntaxError(`${reason}${lineAndColumn(json, cause)}`, { cause });
  }
}

/** What is wrong with a text as it is in the file, where nothing has moved; a NaN, which is let through, is as long as it was. */
function errorInFile(json: string): unknown {
  try {
    JSON.parse(json.replaceAll(/\bNaN\b/g, "111"));
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The parts of the text outside strings hold all numbers and brackets; a text without either kind of trouble is returned as it is. */
function keepDigits(json: string): string {
  const parts: string[] = [];
  let copied = 0;
  let depth = 0;
  for (let at = 0; at < json.length;) {
    const quote = json.indexOf('"', at);
    const end = quote < 0 ? json.length : quote;
    const between = json.slice(at, end);
    depth = requireShallow(between, depth);
    if (/\d{16}|\d[.eE]|-0|NaN/.test(between)) {
      parts.push(json.slice(copied, at), between.replace(numberOrNaN, textOfDigits));
      copied = end;
    }
    at = quote < 0 ? json.length : endOfString(json, quote);
  }
  return copied === 0 ? json : parts.join("") + json.slice(copied);
}

const numberOrNaN = /-?\d[\d.eE+-]*|\bNaN\b/g;

function textOfDigits(literal: string): string {
  if (literal === "NaN") return "null";
  return String(Number(literal)) === literal ? literal : `"${literal}"`;
}

function requireShallow(between: string, depth: number): number {
  for (let i = 0; i < between.length; i++) {
    const code = between.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    if (depth > deepestNesting) throw new SyntaxError(`brackets nest deeper than ${deepestNesting}`);
  }
  return depth;
}

/** Index after the closing quote of the string that opens at `quote`. */
function endOfString(json: string, quote: number): number {
  for (let end = json.indexOf('"', quote + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
  return json.length;
}

/** V8 says "at position N" only: turn it into the line, where there are several, and the column that editors show. */
export function lineAndColumn(text: string, cause: unknown): string {
  const match = /at position (\d+)(?! \(line)/.exec((cause as Error).message);
  if (!match) return "";
  const before = text.slice(0, Number(match[1]));
  const line = text.includes("\n") ? `line ${before.split("\n").length}, ` : "";
  return ` (${line}column ${before.length - before.lastIndexOf("\n")})`;
}
