import { articleKey, isPlaced, SeededRandom, type Question, type SquadFile } from "@bertqa/core";

/** Articles of one passage that borrow from each other, at most. */
const pooledPassages = 5_000;

/**
 * Unanswerable questions made from answerable ones, for articles that have too few of them: a model that never sees one in
 * an article learns to know the article, and answers whatever is asked. Two ways, each half where there is enough:
 *
 * - **swapped**: a name or number of a question that stands in its passage is replaced by one of its kind from another
 *   passage of the article that the passage does not hold. The old answer becomes the plausible one: a contrast pair.
 *   After Gautam, Zhang and Zhang, "A Lightweight Method to Generate Unanswerable Questions in English" (EMNLP 2023).
 * - **moved**: a question asked of another passage of its article, the one that shares most words with it and holds none
 *   of its answers. Questions of random passages are too easy: few shared words give them away (Zhu et al., ACL 2019).
 *
 * Articles of one passage, as a table without titles has them, are taken together as one article, {@link pooledPassages}
 * neighbours in the file at a time: what is looked for grows with the square of their number.
 *
 * A question that its passage is asked already, by whatever way, is none of them: it may have an answer there.
 *
 * Nobody has read them: a few can be answered after all, so they are for training and never for `tune` or dev.
 *
 * @param share of an article's questions that is to have no answer at least, 0 to under 1; articles that have it stay as
 *   they are
 * @returns the made questions only, in the order of the articles; ids are the source's and `#swapped` or `#moved`. Fewer
 *   than `wanted` where an article has too little to swap, and too few passages that a question can be moved to
 */
export function madeUnanswerable(
  questions: readonly Question[],
  options: { share: number; seed: number },
): { made: Question[]; wanted: number } {
  if (options.share === 0) return { made: [], wanted: 0 };
  const weights = wordWeights(questions);
  const asked = new AskedQuestions(questions);
  const groups = articlesOf(questions).map(([key, article]) => {
    const without = article.filter(({ answers }) => answers.length === 0).length;
    const wanted = Math.round((options.share * article.length - without) / (1 - options.share));
    if (wanted <= 0) return { made: [], wanted: 0 };
    const random = new SeededRandom(options.seed, "made", key);
    const swapped = random.shuffled(swappedQuestions(article, random, asked));
    const moved = movedQuestions(article, weights, asked);
    const half = Math.ceil(wanted / 2);
    const movedCount = Math.min(moved.length, wanted - Math.min(swapped.length, half));
    return { made: [...swapped.slice(0, wanted - movedCount), ...moved.slice(0, movedCount)], wanted };
  });
  return {
    made: groups.flatMap(({ made }) => made),
    wanted: groups.reduce((sum, { wanted }) => sum + wanted, 0),
  };
}

/** What is asked of which passage, whatever its title; letter case, white space and punctuation aside. */
class AskedQuestions {
  readonly #ofPassage = new Map<string, Set<string>>();

  constructor(questions: readonly Question[]) {
    for (const { context, question } of questions) this.add(context, question);
  }

  has(context: string, question: string): boolean {
    return this.#ofPassage.get(context)?.has(wordsOf(question).join(" ")) ?? false;
  }

  add(context: string, question: string): void {
    const known = this.#ofPassage.get(context) ?? new Set();
    this.#ofPassage.set(context, known.add(wordsOf(question).join(" ")));
  }
}

/** Articles by the names of their random streams: the article's own, or a number for articles of one passage together. */
function articlesOf(questions: readonly Question[]): [string | number, readonly Question[]][] {
  const articles = [...groupBy(questions, articleKey)];
  const isAlone = ([, article]: (typeof articles)[number]) =>
    article.every(({ context }) => context === article[0]!.context);
  const alone = articles.filter(isAlone).map(([, article]) => article);
  const pools = Array.from({ length: Math.ceil(alone.length / pooledPassages) }, (_, i): [number, Question[]] => [
    i,
    alone.slice(i * pooledPassages, (i + 1) * pooledPassages).flat(),
  ]);
  return [...articles.filter((each) => !isAlone(each)), ...pools];
}

/** What is written for people to read: a SQuAD file of the made questions alone. */
export function squadFileOf(made: readonly Question[]): SquadFile {
  const articles = [...groupBy(made, articleKey)].map(([title, article]) => ({
    title,
    paragraphs: [...groupBy(article, passageKey).values()].map((questions) => ({
      context: (questions[0] as Question).context,
      qas: questions.map(({ id, question, plausibleAnswers = [] }) => ({
        id,
        question,
        answers: [],
        is_impossible: true,
        plausible_answers: plausibleAnswers
          .filter(isPlaced)
          .map(({ text, startCodePoint }) => ({ text, answer_start: startCodePoint })),
      })),
    })),
  }));
  return { version: "v2.0", data: articles };
}

/** Made questions among those of their passages, so that a passage is still encoded once. */
export function withMade(questions: readonly Question[], made: readonly Question[]): Question[] {
  const byPassage = groupBy(made, passageKey);
  return questions.flatMap((question, i) => {
    const next = questions[i + 1];
    const isLast = next === undefined || passageKey(next) !== passageKey(question);
    const added = isLast ? byPassage.get(passageKey(question)) : undefined;
    if (added) byPassage.delete(passageKey(question));
    return [question, ...(added ?? [])];
  });
}

/** Node 20 has no Map.groupBy. */
function groupBy(questions: readonly Question[], keyOf: (question: Question) => string): Map<string, Question[]> {
  const groups = new Map<string, Question[]>();
  for (const question of questions) addTo(groups, keyOf(question), question);
  return groups;
}

function addTo<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

function passageKey({ articleIndex, paragraphIndex }: Question): string {
  return `${articleIndex}/${paragraphIndex}`;
}

// --- swapped

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

function swappedQuestions(article: readonly Question[], random: SeededRandom, asked: AskedQuestions): Question[] {
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
    if (asked.has(question.context, changed)) return [];
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

// --- moved

/** Lower-case runs of letters and digits. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Inverse document frequency of a word over the passages, natural logarithm. */
function wordWeights(questions: readonly Question[]): (word: string) => number {
  const passages = new Map(questions.map((question) => [passageKey(question), question.context]));
  const counts = new Map<string, number>();
  for (const context of passages.values()) {
    for (const word of new Set(wordsOf(context))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return (word) => Math.log((passages.size + 1) / ((counts.get(word) ?? 0) + 1));
}

/** Each answerable question on the passage that fits it best, best fits first. */
function movedQuestions(
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
      if (asked.has(first.context, question.question) || answers.some((answer) => text.includes(answer))) continue;
      best = { share, first };
    }
    if (!best) return [];
    asked.add(best.first.context, question.question);
    return [{ question, ...best }];
  });
  return fits
    .toSorted((a, b) => b.share - a.share)
    .map(({ question: { id, question }, first }) => ({ ...first, id: `${id}#moved`, question, answers: [] }))
    .map(({ plausibleAnswers: _, ...question }) => question);
}
