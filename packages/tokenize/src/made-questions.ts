import { articleKey, isPlaced, SeededRandom, type Question, type SquadFile } from "@bertqa/core";

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
 * Nobody has read them: a few can be answered after all, so they are for training and never for `tune` or dev.
 *
 * @param share of an article's questions that is to have no answer at least, 0 to under 1; articles that have it stay as
 *   they are
 * @returns the made questions only, in the order of the articles; ids are the source's and `#swapped` or `#moved`
 */
export function madeUnanswerable(questions: readonly Question[], options: { share: number; seed: number }): Question[] {
  if (options.share === 0) return [];
  const weights = wordWeights(questions);
  return [...groupBy(questions, articleKey)].flatMap(([key, article]) => {
    const without = article.filter(({ answers }) => answers.length === 0).length;
    const wanted = Math.round((options.share * article.length - without) / (1 - options.share));
    if (wanted <= 0) return [];
    const random = new SeededRandom(options.seed, "made", key);
    const swapped = random.shuffled(swappedQuestions(article, random));
    const moved = movedQuestions(article, weights);
    const half = Math.ceil(wanted / 2);
    const movedCount = Math.min(moved.length, wanted - Math.min(swapped.length, half));
    return [...swapped.slice(0, wanted - movedCount), ...moved.slice(0, movedCount)];
  });
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
  for (const question of questions) {
    const group = groups.get(keyOf(question));
    if (group) group.push(question);
    else groups.set(keyOf(question), [question]);
  }
  return groups;
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
}

/** Names, numbers and years of a text. A name at a sentence's start may be a common word, and is left out. */
function mentionsOf(text: string): Mention[] {
  const found: Mention[] = [];
  for (const kind of Object.keys(kinds) as Kind[]) {
    for (const { 0: match, index: start } of text.matchAll(kinds[kind])) {
      const end = start + match.length;
      const [before, after] = [text.slice(Math.max(0, start - 30), start), text.slice(end, end + 30)];
      if (kind === "name" && /(?:^|[.!?:;"“(])\s*$/u.test(before)) continue;
      if (found.some((other) => start < other.start + other.text.length && other.start < end)) continue;
      found.push({ kind, text: match, start, before: wordsOf(before).at(-1) ?? "", after: wordsOf(after)[0] ?? "" });
    }
  }
  return found;
}

function swappedQuestions(article: readonly Question[], random: SeededRandom): Question[] {
  const all = [...groupBy(article, passageKey).values()].flatMap(([first]) =>
    mentionsOf((first as Question).context).map((mention) => ({ ...mention, shape: shapeOf(mention.text) })),
  );
  return article.flatMap((question) => {
    const answer = question.answers.find(isPlaced);
    const old = mentionsOf(question.question).find(({ text }) => question.context.includes(text));
    if (!answer || !old) return [];
    const first = random.integerBelow(Math.max(all.length, 1));
    const text = mostAlike(old, all, first, question.context.toLowerCase());
    if (text === undefined) return [];
    const changed = question.question.slice(0, old.start) + text + question.question.slice(old.start + old.text.length);
    return [{ ...question, id: `${question.id}#swapped`, question: changed, answers: [], plausibleAnswers: [answer] }];
  });
}

/**
 * What stands between the same words and has the same form reads most like a question that somebody asked. Among equals the
 * first one from place `first` on.
 */
function mostAlike(
  old: Mention,
  all: readonly (Mention & { readonly shape: string })[],
  first: number,
  context: string,
): string | undefined {
  const shape = shapeOf(old.text);
  let best: { text: string; likeness: number } | undefined;
  for (let i = 0; i < all.length; i++) {
    const other = all[(first + i) % all.length]!;
    if (other.kind !== old.kind) continue;
    const likeness =
      Number(other.before === old.before) + Number(other.after === old.after) + Number(other.shape === shape);
    if (likeness <= (best?.likeness ?? -1)) continue;
    if (sharesWord(other.text, old.text) || context.includes(other.text.toLowerCase())) continue;
    best = { text: other.text, likeness };
  }
  return best?.text;
}

/** Number of words and the last two letters: "2 ns" of "Great Britons". */
function shapeOf(text: string): string {
  return `${text.split(" ").length} ${text.slice(-2)}`;
}

function sharesWord(a: string, b: string): boolean {
  const words = new Set(wordsOf(a));
  return wordsOf(b).some((word) => words.has(word));
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
function movedQuestions(article: readonly Question[], weightOf: (word: string) => number): Question[] {
  const passages = [...new Map(article.map((question) => [passageKey(question), question])).values()].map((first) => ({
    first,
    text: first.context.toLowerCase(),
    words: new Set(wordsOf(first.context)),
  }));
  const fits = article.flatMap((question) => {
    if (!question.answers.some(isPlaced)) return [];
    const answers = question.answers.map(({ text }) => text.toLowerCase());
    const words = [...new Set(wordsOf(question.question))].map((word) => ({ word, weight: weightOf(word) }));
    const whole = words.reduce((sum, { weight }) => sum + weight, 0);
    let best: { share: number; first: Question } | undefined;
    for (const { first, text, words: inPassage } of passages) {
      if (first.context === question.context || answers.some((answer) => text.includes(answer))) continue;
      const shared = words.reduce((sum, { word, weight }) => sum + (inPassage.has(word) ? weight : 0), 0);
      if (whole > 0 && shared / whole > (best?.share ?? 0)) best = { share: shared / whole, first };
    }
    return best ? [{ question, ...best }] : [];
  });
  return fits
    .toSorted((a, b) => b.share - a.share)
    .map(({ question: { id, question }, first }) => ({ ...first, id: `${id}#moved`, question, answers: [] }))
    .map(({ plausibleAnswers: _, ...question }) => question);
}
