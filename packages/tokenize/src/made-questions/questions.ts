import type { Question } from "@bertqa/core";

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
