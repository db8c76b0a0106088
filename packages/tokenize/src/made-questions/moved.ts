import { addTo, isPlaced, type Question } from "@bertqa/core";
import { passageKey, wordsOf, type AskedQuestions } from "./questions.ts";

/** Inverse document frequency of a word over the passages, natural logarithm. */
export function wordWeights(questions: readonly Question[]): (word: string) => number {
  const passages = new Map(questions.map((question) => [passageKey(question), question.context]));
  const counts = new Map<string, number>();
  for (const context of passages.values()) {
    for (const word of new Set(wordsOf(context))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return (word) => Math.log((passages.size + 1) / ((counts.get(word) ?? 0) + 1));
}

/** Each answerable question on the passage that fits it best, best fits first. */
export function movedQuestions(
  article: readonly Question[],
  weightOf: (word: string) => number,
  asked: AskedQuestions,
): Question[] {
  const passages = [...new Map(article.map((question) => [passageKey(question), question])).values()].map((first) => ({
    first,
    text: first.context.toLowerCase(),
  }));
  const holders = new Map<string, number[]>();
  for (const [i, { text }] of passages.entries()) {
    for (const word of new Set(wordsOf(text))) addTo(holders, word, i);
  }
  const shared = new Float64Array(passages.length);
  const fits = article.flatMap((question) => {
    if (!question.answers.some(isPlaced)) return [];
    const answers = question.answers.map(({ text }) => text.toLowerCase());
    const passagesAsked = asked.passagesOf(question.question);
    let whole = 0;
    shared.fill(0);
    for (const word of new Set(wordsOf(question.question))) {
      const weight = weightOf(word);
      whole += weight;
      for (const i of holders.get(word) ?? []) shared[i]! += weight;
    }
    let best: { share: number; first: Question } | undefined;
    for (const [i, { first, text }] of passages.entries()) {
      const share = shared[i]! / whole; // NaN, which is above nothing, where no word weighs anything
      if (!(share > (best?.share ?? 0))) continue;
      // Last, as it costs most.
      if (passagesAsked.has(first.context) || answers.some((answer) => text.includes(answer))) continue;
      best = { share, first };
    }
    if (!best) return [];
    passagesAsked.add(best.first.context);
    return [{ question, ...best }];
  });
  return fits
    .toSorted((a, b) => b.share - a.share)
    .map(({ question: { id, question }, first }) => ({ ...first, id: `${id}#moved`, question, answers: [] }))
    .map(({ plausibleAnswers: _, ...question }) => question);
}
