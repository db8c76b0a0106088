import { articleKey, groupBy, isPlaced, SeededRandom, type Question, type SquadFile } from "@bertqa/core";
import { movedQuestions, wordWeights } from "./moved.ts";
import { AskedQuestions, passageKey } from "./questions.ts";
import { swappedQuestions } from "./swapped.ts";

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
