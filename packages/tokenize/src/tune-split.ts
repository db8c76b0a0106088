import { articleKey, SeededRandom, type Question } from "@bertqa/core";

/** The train questions in two parts, each in the file's order. */
export interface TuneSplit {
  readonly train: readonly Question[];
  readonly tune: readonly Question[];
  /** What is in one part only, whole. */
  readonly unit: "article" | "passage";
  readonly trainUnits: number;
  readonly tuneUnits: number;
}

/** Number of questions, and how many of them have no answer. */
interface Size {
  readonly questions: number;
  readonly unanswerable: number;
}

/** Seeded orders that are tried; the best one counts. */
const triedOrders = 64;

/**
 * Holds out whole articles: those that bring the number of held-out questions, and of those without an answer, nearest to
 * `share` of all. Both matter: SQuAD 2.0 has articles without any unanswerable question, and a no-answer threshold cannot be
 * chosen on them. Where the articles are too few or too large for that, whole passages are held out. No passage of `tune` is in
 * train, too, but one that two articles have; the stage warns of it.
 *
 * @returns an empty `tune` if `share` is 0 or there are fewer than 2 passages
 */
export function splitOffTune(questions: readonly Question[], options: { share: number; seed: number }): TuneSplit {
  const byArticle = splitBy("article", articleKey, questions, options);
  const shareOf = ({ tune }: TuneSplit) => tune.length / Math.max(questions.length, 1);
  if (options.share === 0 || isNear(shareOf(byArticle), options.share)) return byArticle;
  const byPassage = splitBy("passage", ({ context }) => context, questions, options);
  const gap = (split: TuneSplit) => Math.abs(shareOf(split) - options.share);
  return byPassage.tuneUnits > 0 && gap(byPassage) < gap(byArticle) ? byPassage : byArticle;
}

/** Is a share of what was asked for, up to a factor of 2? */
export function isNear(share: number, wanted: number): boolean {
  return share >= wanted / 2 && share <= wanted * 2;
}

function splitBy(
  unit: TuneSplit["unit"],
  keyOf: (question: Question) => string,
  questions: readonly Question[],
  options: { share: number; seed: number },
): TuneSplit {
  const sizes = sizesBy(keyOf, questions);
  const heldOut = options.share > 0 && sizes.size >= 2 ? chooseUnits(sizes, options) : new Set<string>();
  return {
    train: questions.filter((question) => !heldOut.has(keyOf(question))),
    tune: questions.filter((question) => heldOut.has(keyOf(question))),
    unit,
    trainUnits: sizes.size - heldOut.size,
    tuneUnits: heldOut.size,
  };
}

function sizesBy(keyOf: (question: Question) => string, questions: readonly Question[]): Map<string, Size> {
  const sizes = new Map<string, Size>();
  for (const question of questions) {
    const key = keyOf(question);
    const unanswerable = question.answers.length === 0 ? 1 : 0;
    sizes.set(key, sum(sizes.get(key) ?? { questions: 0, unanswerable: 0 }, { questions: 1, unanswerable }));
  }
  return sizes;
}

function chooseUnits(sizes: ReadonlyMap<string, Size>, options: { share: number; seed: number }): Set<string> {
  const whole = [...sizes.values()].reduce(sum);
  const target = { questions: whole.questions * options.share, unanswerable: whole.unanswerable * options.share };
  const choices = Array.from({ length: triedOrders }, (_, order) =>
    chooseInOrder(new SeededRandom(options.seed, "tune", order).shuffled(sizes), target),
  );
  return choices.reduce((best, choice) => (choice.gap < best.gap ? choice : best)).units;
}

/** Takes each unit that closes the gap further, and leaves one for training; where none does, the smallest. */
function chooseInOrder(shuffled: readonly [string, Size][], target: Size): { units: Set<string>; gap: number } {
  const units = new Set<string>();
  let held: Size = { questions: 0, unanswerable: 0 };
  for (const [unit, size] of shuffled) {
    if (units.size === shuffled.length - 1) break;
    if (gapTo(target, sum(held, size)) >= gapTo(target, held)) continue;
    units.add(unit);
    held = sum(held, size);
  }
  if (units.size > 0) return { units, gap: gapTo(target, held) };
  const [unit, size] = shuffled.reduce((least, entry) => (entry[1].questions < least[1].questions ? entry : least));
  return { units: new Set([unit]), gap: gapTo(target, size) };
}

/** Relative distance of both numbers from the target; 0 is exact. */
function gapTo(target: Size, held: Size): number {
  const gap = (wanted: number, found: number) => (wanted === 0 ? 0 : Math.abs(found - wanted) / wanted);
  return gap(target.questions, held.questions) + gap(target.unanswerable, held.unanswerable);
}

function sum(a: Size, b: Size): Size {
  return { questions: a.questions + b.questions, unanswerable: a.unanswerable + b.unanswerable };
}
