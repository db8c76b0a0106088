import { addTo, groupBy, isPlaced, type Question, type SeededRandom } from "@bertqa/core";
import { passageKey, wordsOf, type AskedQuestions } from "./questions.ts";

/** Years first: they are numbers too. Names are runs of capitalised words, "of" and "the" between them included. */
const kinds = {
  year: /(?<![\p{L}\p{N}.,])1[0-9]{3}(?![\p{L}\p{N}])|(?<![\p{L}\p{N}.,])20[0-9]{2}(?![\p{L}\p{N}])/gu,
  number: /(?<![\p{L}\p{N}.,])[0-9]+(?:[.,][0-9]+)*(?![\p{L}\p{N}])/gu,
  name: /(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{N}'’-]+(?: (?:(?:of|the|de|von|van) )?\p{Lu}[\p{L}\p{N}'’-]+)*/gu,
} as const;
type Kind = keyof typeof kinds;
interface Mention {
  readonly kind: Kind;
  readonly text: string;
  readonly start: number;
  /** The neighbouring words, lower case; "" at an edge of the text. */
  readonly before: string;
  readonly after: string;
  /** Number of words and the last two letters: "2 ns" of "Great Britons". */
  readonly shape: string;
  readonly words: readonly string[];
}

/** What two mentions of a kind may share, the most alike first. */
const likenesses = [
  [["before", "after", "shape"]],
  [
    ["before", "after"],
    ["before", "shape"],
    ["after", "shape"],
  ],
  [["before"], ["after"], ["shape"]],
  [[]],
] as const;

/** Names, numbers and years of a text. A name at a sentence's start may be a common word, and is left out. */
function mentionsOf(text: string): Mention[] {
  const found: Mention[] = [];
  for (const kind of Object.keys(kinds) as Kind[]) {
    for (const { 0: match, index: start } of text.matchAll(kinds[kind])) {
      const end = start + match.length;
      const [before, after] = [text.slice(Math.max(0, start - 30), start), text.slice(end, end + 30)];
      if (kind === "name" && /(?:^|[.!?:;"“(])\s*$/u.test(before)) continue;
      if (found.some((other) => start < other.start + other.text.length && other.start < end)) continue;
      found.push({
        ...{ kind, text: match, start, before: wordsOf(before).at(-1) ?? "", after: wordsOf(after)[0] ?? "" },
        ...{ shape: `${match.split(" ").length} ${match.slice(-2)}`, words: wordsOf(match) },
      });
    }
  }
  return found;
}

/** Questions with a name or number of another passage in the place of theirs, in the order of the article. */
export function swappedQuestions(
  article: readonly Question[],
  random: SeededRandom,
  asked: AskedQuestions,
): Question[] {
  const all = [...groupBy(article, passageKey).values()].flatMap(([first]) => mentionsOf(first!.context));
  const places = placesOf(all);
  return article.flatMap((question) => {
    const answer = question.answers.find(isPlaced);
    const old = mentionsOf(question.question).find(({ text }) => question.context.includes(text));
    if (!answer || !old) return [];
    const first = random.integerBelow(Math.max(all.length, 1));
    const context = question.context.toLowerCase();
    const isFit = ({ text, words }: Mention) =>
      !words.some((word) => old.words.includes(word)) && !context.includes(text.toLowerCase());
    const text = mostAlike(old, { all, places, first, isFit })?.text;
    if (text === undefined) return [];
    const changed = question.question.slice(0, old.start) + text + question.question.slice(old.start + old.text.length);
    if (asked.passagesOf(changed).has(question.context)) return [];
    return [{ ...question, id: `${question.id}#swapped`, question: changed, answers: [], plausibleAnswers: [answer] }];
  });
}

/** Where in a list of mentions those of one kind are that share something, in order, for everything that can be shared. */
function placesOf(all: readonly Mention[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [place, mention] of all.entries()) {
    for (const traits of likenesses.flat()) addTo(places, traitKey(mention, traits), place);
  }
  return places;
}

function traitKey(mention: Mention, traits: readonly ("before" | "after" | "shape")[]): string {
  return [mention.kind, ...traits.map((trait) => `${trait} ${mention[trait]}`)].join(" ");
}

/**
 * What stands between the same words and has the same form reads most like a question that somebody asked. Among equals the
 * first one from place `first` on, around the end.
 */
function mostAlike(
  old: Mention,
  among: {
    readonly all: readonly Mention[];
    readonly places: ReadonlyMap<string, readonly number[]>;
    readonly first: number;
    readonly isFit: (mention: Mention) => boolean;
  },
): Mention | undefined {
  const { all, places, first, isFit } = among;
  const stepsToFit = (sorted: readonly number[]) => {
    const start = countBelow(sorted, first);
    for (let i = 0; i < sorted.length; i++) {
      const place = sorted[(start + i) % sorted.length]!;
      if (isFit(all[place]!)) return (place - first + all.length) % all.length;
    }
    return Infinity;
  };
  for (const alike of likenesses) {
    const steps = Math.min(...alike.map((traits) => stepsToFit(places.get(traitKey(old, traits)) ?? [])));
    if (steps < Infinity) return all[(first + steps) % all.length];
  }
  return undefined;
}

/** How many of ascending numbers are below a limit, by bisection. */
function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
