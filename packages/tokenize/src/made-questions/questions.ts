import type { Question } from "@bertqa/core";

/** Node 20 has no Map.groupBy. */
export function groupBy(
  questions: readonly Question[],
  keyOf: (question: Question) => string,
): Map<string, Question[]> {
  const groups = new Map<string, Question[]>();
  for (const question of questions) addTo(groups, keyOf(question), question);
  return groups;
}

/** Adds to a list of a map, which may be new. */
export function addTo<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

/** Names a passage: its article's and its own place in the file. */
export function passageKey({ articleIndex, paragraphIndex }: Question): string {
  return `${articleIndex}/${paragraphIndex}`;
}

/** Lower-case runs of letters and digits. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Which passages a question is asked of, whatever their titles; its letter case, white space and punctuation aside. */
export class AskedQuestions {
  readonly #passages = new Map<string, Set<string>>();

  constructor(questions: readonly Question[]) {
    for (const { context, question } of questions) this.passagesOf(question).add(context);
  }

  /** Texts of passages; one that is added is known from then on. */
  passagesOf(question: string): Set<string> {
    const key = wordsOf(question).join(" ");
    const known = this.#passages.get(key);
    if (known) return known;
    const none = new Set<string>();
    this.#passages.set(key, none);
    return none;
  }
}
