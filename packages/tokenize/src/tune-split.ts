import { articleKey, SeededRandom, type Question } from "@bertqa/core";

/** The train questions in two parts, each in the file's order. */
export interface TuneSplit {
  readonly train: readonly Question[];
  readonly tune: readonly Question[];
  readonly trainArticles: number;
  readonly tuneArticles: number;
}

/** Number of questions, and how many of them have no answer. */
interface Size {
  readonly questions: number;
  readonly unanswerable: number;
}

/** Seeded orders that are tried; the best one counts. */
const triedOrders = 64;

/**
 * Holds out whole articles, so that no passage of `tune` was seen in training: those that bring the number of held-out
 * questions, and of those without an answer, nearest to `share` of all. Both matter: SQuAD 2.0 has articles without any
 * unanswerable question, and a no-answer threshold cannot be chosen on them.
 *
 * @returns an empty `tune` if `share` is 0 or there are fewer than 2 articles
 */
export function splitOffTune(questions: readonly Question[], options: { share: number; seed: number }): TuneSplit {
  const sizes = articleSizes(questions);
  const heldOut = options.share > 0 && sizes.size >= 2 ? chooseArticles(sizes, options) : new Set<string>();
  return {
    train: questions.filter((question) => !heldOut.has(articleKey(question))),
    tune: questions.filter((question) => heldOut.has(articleKey(question))),
    trainArticles: sizes.size - heldOut.size,
    tuneArticles: heldOut.size,
  };
}

function articleSizes(questions: readonly Question[]): Map<string, Size> {
  const sizes = new Map<string, Size>();
  for (const question of questions) {
    const key = articleKey(question);
    const unanswerable = question.answers.length === 0 ? 1 : 0;
    sizes.set(key, sum(sizes.get(key) ?? { questions: 0, unanswerable: 0 }, { questions: 1, unanswerable }));
  }
  return sizes;
}

function chooseArticles(sizes: ReadonlyMap<string, Size>, options: { share: number; seed: number }): Set<string> {
  const whole = [...sizes.values()].reduce(sum);
  const target = { questions: whole.questions * options.share, unanswerable: whole.unanswerable * options.share };
  const choices = Array.from({ length: triedOrders }, (_, order) =>
    chooseInOrder(new SeededRandom(options.seed, "tune", order).shuffled(sizes), target),
  );
  return choices.reduce((best, choice) => (choice.gap < best.gap ? choice : best)).articles;
}

/** Takes each article that closes the gap further, and leaves one for training; where none does, the smallest. */
function chooseInOrder(shuffled: readonly [string, Size][], target: Size): { articles: Set<string>; gap: number } {
  const articles = new Set<string>();
  let held: Size = { questions: 0, unanswerable: 0 };
  for (const [article, size] of shuffled) {
    if (articles.size === shuffled.length - 1) break;
    if (gapTo(target, sum(held, size)) >= gapTo(target, held)) continue;
    articles.add(article);
    held = sum(held, size);
  }
  if (articles.size > 0) return { articles, gap: gapTo(target, held) };
  const [article, size] = shuffled.reduce((least, entry) => (entry[1].questions < least[1].questions ? entry : least));
  return { articles: new Set([article]), gap: gapTo(target, size) };
}

/** Relative distance of both numbers from the target; 0 is exact. */
function gapTo(target: Size, held: Size): number {
  const gap = (wanted: number, found: number) => (wanted === 0 ? 0 : Math.abs(found - wanted) / wanted);
  return gap(target.questions, held.questions) + gap(target.unanswerable, held.unanswerable);
}

function sum(a: Size, b: Size): Size {
  return { questions: a.questions + b.questions, unanswerable: a.unanswerable + b.unanswerable };
}
