import type { Candidate, QuestionResult } from "@bertqa/core";
import { articleKey, BertqaError, spanProbabilities, utf16OfCodePoint, type Question } from "@bertqa/squad";
import type { ReportData } from "./build.ts";
import type { PageData, QuestionColumns, SpanOrText } from "./page-data.ts";

/** Decimals kept of scores and probabilities; null odds are kept whole. */
const decimals = 4;

/**
 * Packs the questions for the page: passages once each, answers as spans of them.
 *
 * @throws BertqaError if results and questions are not the same questions in the same order
 */
export function packPageData(data: ReportData): PageData {
  const articles = new Interner();
  const contexts = new Interner();
  return {
    thresholds: data.evaluation.scores.map((row) => ({ label: row.label, nullOdds: row.nullOddsThreshold })),
    primary: data.evaluation.scores.findIndex((row) => row.kind === data.evaluation.primary),
    questions: questionColumns(data, articles, contexts),
    articles: articles.values,
    contexts: contexts.values,
  };
}

function questionColumns(data: ReportData, articles: Interner, contexts: Interner): QuestionColumns {
  const { questions, results } = data;
  refuseOtherQuestions(questions, results);
  const nbestOf = ({ id }: Question) => data.nbest[id] ?? [];
  return {
    id: questions.map((question) => question.id),
    question: questions.map((question) => question.question),
    article: questions.map((question) => articles.indexOf(articleKey(question))),
    context: questions.map((question) => contexts.indexOf(question.context)),
    gold: questions.map(goldAnswers),
    best: questions.map((question, i) =>
      bestSpan(question, (results[i] as QuestionResult).bestSpan, nbestOf(question)),
    ),
    nullOdds: results.map((result) => result.nullOdds),
    noAnswerProbability: results.map((result) => rounded(result.noAnswerProbability)),
    bestExact: results.map((result) => result.bestSpanExact),
    bestF1: results.map((result) => rounded(result.bestSpanF1)),
    candidates: questions.map((question, i) => packCandidates(nbestOf(question), results[i] as QuestionResult)),
  };
}

function refuseOtherQuestions(questions: readonly { id: string }[], results: readonly { id: string }[]): void {
  const odd = questions.findIndex((question, index) => question.id !== results[index]?.id);
  if (questions.length === results.length && odd === -1) return;
  const detail = odd === -1 ? "" : `, and question ${odd} is "${questions[odd]?.id}", not "${results[odd]?.id}"`;
  throw new BertqaError(
    "evaluate",
    `the report needs one result a question: got ${results.length} results for ${questions.length} questions${detail}`,
  );
}

/** Distinct answers in the order of the file, each with how often it was given. */
export function goldAnswers(question: Question): (readonly [SpanOrText, number])[] {
  const positions = utf16OfCodePoint(question.context);
  const utf16Of = (codePoint: number) => (positions ? (positions[codePoint] ?? -1) : codePoint);
  const counted = new Map<string, [SpanOrText, number]>();
  for (const answer of question.answers) {
    const start = utf16Of(answer.startCodePoint ?? -1);
    const end = start + answer.text.length;
    const stands = start >= 0 && question.context.slice(start, end) === answer.text;
    const span: SpanOrText = stands ? [start, end] : answer.text;
    const key = JSON.stringify(span);
    const entry = counted.get(key);
    if (entry) entry[1]++;
    else counted.set(key, [span, 1]);
  }
  return [...counted.values()];
}

/** Where the best span lies: as its candidate says, else the first place that holds its text. */
export function bestSpan(question: Question, text: string, candidates: readonly Candidate[]): SpanOrText {
  const own = candidates.find((candidate) => candidate.utf16 !== null && candidate.text === text)?.utf16;
  if (own) return own;
  const start = text === "" ? -1 : question.context.indexOf(text);
  return start === -1 ? text : [start, start + text.length];
}

/** Candidates by falling probability. */
function packCandidates(candidates: readonly Candidate[], { noAnswerProbability }: QuestionResult): number[] {
  const scored = candidates.map(({ utf16, start_logit, end_logit }) => ({ utf16, score: start_logit + end_logit }));
  // No answer is no span, and takes no share of theirs.
  const shares = spanProbabilities(
    scored.map(({ utf16, score }) => (utf16 ? score : -Infinity)),
    noAnswerProbability,
  );
  return scored
    .map(({ utf16, score }, i) => ({ utf16, score, probability: utf16 ? (shares[i] as number) : noAnswerProbability }))
    .sort((a, b) => b.probability - a.probability)
    .flatMap(({ utf16, score, probability }) => {
      const [start, end] = utf16 ?? [-1, -1];
      return [start, end, rounded(probability), Math.round(score * 100) / 100];
    });
}

function rounded(value: number): number {
  return Number(value.toFixed(decimals));
}

/** Gives equal strings the same index, in the order of first use. */
class Interner {
  readonly values: string[] = [];
  readonly #indices = new Map<string, number>();

  indexOf(value: string): number {
    const known = this.#indices.get(value);
    if (known !== undefined) return known;
    this.#indices.set(value, this.values.length);
    return this.values.push(value) - 1;
  }
}
