import type { OfficialScores } from "@bertqa/squad";

/** JSON as Python's `json` module reads and writes it, where JavaScript's differs. */

/** A flat object's key and its value as written: JavaScript's own objects move keys like "12" to the front. */
const flatEntry = /"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,{}[\]"]+)/gs;
const integerKey = /^(?:0|[1-9]\d*)$/;
/** A string that is never closed reaches to the end, in one match: looking for its end from every quote in it is quadratic. */
const stringOrConstant = /"(?:[^"\\]+|\\.?)*(?:"|$)|-?Infinity/gs;

/** Parses JSON, with the `Infinity` that Python writes and reads. @throws SyntaxError */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const withNumbers = text.replace(stringOrConstant, (match) =>
      match.startsWith('"') ? match : `${match.startsWith("-") ? "-" : ""}1e999`,
    );
    if (withNumbers === text) throw error;
    return JSON.parse(withNumbers);
  }
}

/** The entries of a flat object in the order of its text. @param parsed what {@link parsePythonJson} made of `text` */
export function entriesInTextOrder(text: string, parsed: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const keys = Object.keys(parsed);
  // JavaScript moves integer keys to the front, so one look there tells whether the order is still the file's.
  const isReordered = keys[0] !== undefined && integerKey.test(keys[0]);
  const entries = new Map<string, unknown>();
  for (const key of isReordered ? literalsOf(text).map(([name]) => name) : keys) entries.set(key, parsed[key]);
  return entries;
}

/** A flat object's keys, each with its value as written; of a key that comes twice, both. */
export function literalsOf(text: string): [key: string, literal: string][] {
  return Array.from(text.matchAll(flatEntry), ([, key, literal]) => [
    JSON.parse(`"${key}"`) as string,
    literal as string,
  ]);
}

/**
 * Formats scores as `json.dumps` does: `100.0`, `1e-05`, and `", "` between the keys unless indented.
 *
 * @param literals values to print as they are, by key
 */
export function formatPythonJson(
  scores: OfficialScores,
  literals: Readonly<Record<string, string>>,
  indent: boolean,
): string {
  const lines = Object.entries(scores).map(([key, value]) => {
    const number = literals[key] ?? (key.endsWith("total") ? String(value) : pythonFloat(value));
    return `${JSON.stringify(key)}: ${number}`;
  });
  return indent ? `{\n  ${lines.join(",\n  ")}\n}` : `{${lines.join(", ")}}`;
}

/** `repr` of a Python float: the shortest digits, as in JavaScript, but with an exponent below 1e-4 and from 1e16 on. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const [digits, exponentText] = value.toExponential().split("e") as [string, string];
  const exponent = Number(exponentText);
  if (Object.is(value, -0)) return "-0.0";
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  // JavaScript would write 1e-5 and 0.00001 alike up to 1e-6, and no exponent below 1e21: in this range it never does.
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
