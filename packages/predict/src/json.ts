/**
 * A JSON object as text, one key a line, in the order of the entries. `JSON.stringify` of an object would move keys
 * like "123" to the front, and hold the whole text in memory.
 */
export function* jsonObjectLines(entries: Iterable<readonly [key: string, value: unknown]>): Generator<string> {
  let separator = "{\n";
  for (const [key, value] of entries) {
    yield `${separator}${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    separator = ",\n";
  }
  yield separator === "{\n" ? "{}\n" : "\n}\n";
}
