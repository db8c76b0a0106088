import { countOf } from "@bertqa/core";
import type { SquadFile } from "@bertqa/squad";
import { loadTokenizer } from "@bertqa/tokenize";

/** What the data of a new pipeline look like to its encoder, and what follows from it. */
export interface Look {
  /** Sentences for people. */
  readonly lines: readonly string[];
  readonly maxQuestionTokens: number;
  readonly maxAnswerTokens: number;
}

type Articles = SquadFile["data"];

/** Questions that are looked at: enough for a share, and a second at the most. */
const lookedAt = 2000;
const usualQuestionTokens = 64;
const usualAnswerTokens = 30;
/** From this share of unknown tokens on, the encoder hardly knows the language. */
const manyUnknown = 0.05;

/**
 * Encodes up to 2,000 questions with their passages and answers, evenly drawn, and takes from them the share of unknown
 * tokens and limits that all but 1 in 200 questions and answers keep to.
 */
export async function lookAtData(articles: Articles, tokenizerJson: string, maxTokens: number): Promise<Look> {
  const tokenizer = await loadTokenizer(tokenizerJson, "tokenizer.json");
  const all = articles.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => qas.map(({ question, answers }) => ({ context, question, answers }))),
  );
  const step = Math.max(1, Math.ceil(all.length / lookedAt));
  const drawn = all.filter((_, i) => i % step === 0);
  const lengthsOf = async (texts: readonly string[]) => (await tokenizer.encodeIds(texts)).map((ids) => ids.length);
  const questions = await lengthsOf(drawn.map(({ question }) => question));
  const answers = await lengthsOf(drawn.flatMap((one) => (one.answers ?? []).map(({ text }) => text)));
  const passages = await tokenizer.encodeIds([...new Set(drawn.map(({ context }) => context))]);
  const [[unknownId] = []] = await tokenizer.encodeIds(["[UNK]"]);
  const total = passages.reduce((sum, ids) => sum + ids.length, 0);
  const unknown = passages.reduce((sum, ids) => sum + ids.filter((id) => id === unknownId).length, 0);
  const maxQuestionTokens = limitFor(questions, usualQuestionTokens, Math.floor(maxTokens / 3));
  const maxAnswerTokens = limitFor(answers, usualAnswerTokens, Math.floor(maxTokens / 2));
  const lines = [
    `passages of ${describe(passages.map((ids) => ids.length))} tokens, questions of ${describe(questions)}, answers of ${describe(answers)}`,
    `${((100 * unknown) / Math.max(total, 1)).toFixed(1)} % of the passages' tokens are unknown to the encoder`,
  ];
  if (unknown > manyUnknown * total) {
    lines.push("warning: the encoder hardly knows this language or script: choose another with --encoder");
  }
  const longAnswers = answers.filter((length) => length > maxAnswerTokens).length;
  if (longAnswers > 0) {
    lines.push(
      `warning: ${countOf(longAnswers, "answer")} of ${answers.length} are longer than maxAnswerTokens ${maxAnswerTokens}`,
    );
  }
  const longPassages = passages.filter((ids) => ids.length > maxTokens).length;
  if (longPassages > 0) {
    lines.push(
      `${countOf(longPassages, "passage")} of ${passages.length} are longer than a window of ${maxTokens} and are cut into several`,
    );
  }
  return { lines, maxQuestionTokens, maxAnswerTokens };
}

/** The usual limit, or what all but 1 in 200 keep to, rounded up to 8. */
function limitFor(lengths: readonly number[], usual: number, most: number): number {
  const wanted = Math.ceil(percentile(lengths, 0.995) / 8) * 8;
  return Math.min(Math.max(usual, wanted), most);
}

function percentile(lengths: readonly number[], share: number): number {
  const sorted = lengths.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** `12 (median) to 40 (longest)`. */
function describe(lengths: readonly number[]): string {
  return `${percentile(lengths, 0.5)} (median) to ${percentile(lengths, 1)} (longest)`;
}
