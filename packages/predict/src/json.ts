/**
 * A JSON object as text, one key a line, in the order of the items. `JSON.stringify` of an object would move keys like
 * "123" to the front, and hold the whole text in memory.
 */
export function* jsonObjectLines<T>(
  items: Iterable<T>,
  entryOf: (item: T) => readonly [key: string, value: unknown],
): Generator<string> {
  let separator = "{\n";
  for (const item of items) {
    const [key, value] = entryOf(item);
    yield `${separator}${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    separator = ",\n";
  }
  yield separator === "{\n" ? "{}\n" : "\n}\n";
}
